// Decisions are shown at once and written in the background, one after the other for each finding; what the server does
// not take is rolled back, and said. Nothing is drawn here.
import { author, post } from "./shell.js";
import { nameOf } from "./list.js";

export class Decisions {
  /** onchange(finding): it looks otherwise now. onrefused(finding, error): it was rolled back. onpending(n): so many are being written. */
  constructor({ onchange, onwritten, onrefused, onpending }) {
    Object.assign(this, { onchange, onwritten, onrefused, onpending });
    this.done = []; // what this browser decided, for undo: {finding | drawn, seq: promise}
    this.queues = new Map(); // name of the finding → promise of its last write
    this.pending = 0;
  }

  /** Decides on a finding; `fix` only where it is not the suggested one. */
  async decide(finding, verdict, fix = null, note = "") {
    await this.#write([{ finding, fix }], verdict, note);
  }

  /** One verdict on many findings, written in one post: all or none. */
  async decideMany(findings, verdict) {
    await this.#write(findings.map((finding) => ({ finding, fix: null })), verdict, "");
  }

  async #write(things, verdict, note) {
    const who = await author();
    if (!who) return;
    const names = things.map(({ finding }) => nameOf(finding));
    const marks = things.map(({ finding }) => this.#mark(finding, verdict, who));
    const decisions = things.map(({ finding, fix }) => ({
      batch: finding.batch, finding_id: finding.finding_id, shown: finding.content_hash, verdict, fix, note: note || null,
      ...(finding.draw ? { sample: finding.draw } : {}), ...(finding.finding_id === null ? { image_id: finding.image_id, annotation_id: finding.annotation_id } : {}),
    }));
    const before = Promise.allSettled(names.map((n) => this.queues.get(n)));
    const written = before.then(() => post("/api/decisions", { author: who, decisions })).finally(() => touch(things));
    for (const name of names) this.queues.set(name, written);
    const steps = things.map(({ finding }, k) => ({ finding, seq: written.then((answer) => answer.seqs[k]) }));
    for (const step of steps) step.seq.catch(() => {});
    const entry = { steps, before: marks };
    this.done.push(entry);
    await this.#settle(written, () => {
      this.done = this.done.filter((d) => d !== entry);
      for (const mark of marks) this.#unmark(mark);
    }, things[0].finding);
  }

  /** A verdict of its own, about no finding: an object that was drawn, or a label that was changed. */
  async add(decision, { apply, revert }) {
    const who = await author();
    if (!who) return;
    apply(who);
    const written = post("/api/decisions", { author: who, decisions: [{ ...decision, verdict: "accept" }] });
    const seq = written.then((answer) => answer.seqs[0]);
    seq.catch(() => {});
    const entry = { steps: [{ seq, revert }], before: [] };
    this.done.push(entry);
    await this.#settle(written, () => {
      this.done = this.done.filter((d) => d !== entry);
      revert();
    }, null);
  }

  /** Undoes the last decision; without one of this page, the last one of this author. Returns what it was about. */
  async undo() {
    const who = await author();
    if (!who) return null;
    const entry = this.done.pop();
    if (!entry) return post("/api/decisions/undo", { author: who });
    for (const mark of entry.before) this.#unmark(mark);
    for (const step of entry.steps) step.revert?.();
    this.#count(1);
    try {
      await post("/api/decisions/undo", { author: who, seqs: await Promise.all(entry.steps.map((step) => step.seq)) });
      this.onwritten();
    } catch (error) {
      if (error.status === 0) this.done.push(entry); // not heard: what is undone next is still this
      this.onrefused(entry.steps[0].finding ?? null, error);
    } finally {
      touch(entry.steps);
      this.#count(-1);
    }
    return entry.steps[0].finding ?? {};
  }

  async #settle(written, rollBack, finding) {
    this.#count(1);
    try {
      await written;
      this.onwritten();
    } catch (error) {
      rollBack();
      this.onrefused(finding, error);
    } finally {
      this.#count(-1);
    }
  }

  #count(by) {
    this.pending += by;
    this.onpending(this.pending);
  }

  #mark(finding, verdict, who) {
    const mark = { finding, before: { status: finding.status, verdicts: finding.verdicts, mark: finding.mark } };
    const others = (finding.verdicts ?? []).filter((v) => v.author !== who);
    Object.assign(finding, { status: verdict, verdicts: [...others, { author: who, verdict, at: null }], mark });
    this.onchange(finding);
    return mark;
  }

  /** Back to what it was, unless something newer was decided on it. */
  #unmark(mark) {
    if (mark.finding.mark !== mark) return;
    Object.assign(mark.finding, mark.before);
    this.onchange(mark.finding);
  }
}

/** Notes when something was written about findings: what was asked before that is older. */
function touch(things) {
  for (const { finding } of things) if (finding) finding.touched = performance.now();
}
