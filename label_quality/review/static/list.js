// The findings that have been loaded, in the order of the queue, and where one stands among them. No element is made here.
import { get } from "./shell.js";

const AHEAD = 10; // findings: the next page is asked for when so few are left

export class List {
  /** `onpublished` is called when the server shows something else than this list was loaded from. */
  constructor({ onchange, onpublished }) {
    this.onchange = onchange;
    this.onpublished = onpublished;
    this.findings = [];
    this.index = 0;
    this.generation = null;
    this.#reset();
  }

  #reset() {
    this.findings = [];
    this.first = this.last = null; // keys of the outer groups
    this.more = this.moreBefore = false;
    this.linked = false;
    this.loading = null;
    this.sampled = 0; // place of the last card of the random sample
  }

  get current() {
    return this.findings[this.index] ?? null;
  }

  /** Loads the first page, or the one that begins with the finding `at` ("batch/finding_id"). */
  async load(parameters, at = "") {
    const asked = (this.asked = { ...parameters });
    const found = await get("/api/queue/page", { ...asked, at });
    if (asked !== this.asked) return; // another filter was chosen meanwhile
    this.#reset();
    this.generation = found.generation;
    this.more = found.more;
    this.#append(found.groups, true, found.sample);
    this.moreBefore = Boolean(at) && !found.linked && found.groups.length > 0;
    if (found.linked) {
      this.linked = true;
      this.findings.unshift(known({ findings: [found.linked] }, found.linked, 0));
    }
    this.index = Math.max(at ? this.findings.findIndex((f) => at === nameOf(f)) : 0, 0);
    this.onchange();
    this.#extend();
  }

  /** Moves to another finding; what is at the edge stays. */
  go(index) {
    if (!this.findings[index]) return false;
    this.index = index;
    this.#extend();
    this.onchange();
    return true;
  }

  find(name) {
    return this.findings.findIndex((f) => nameOf(f) === name);
  }

  /** Takes what the server now says of a finding. */
  update(found) {
    const index = this.find(nameOf(found));
    if (index >= 0) Object.assign(this.findings[index], found);
  }

  /** Takes a finding out: it is no longer there. */
  drop(finding) {
    const index = this.findings.indexOf(finding);
    if (index < 0) return;
    this.findings.splice(index, 1);
    if (index < this.index || this.index >= this.findings.length) this.index = Math.max(this.index - 1, 0);
    this.onchange();
  }

  /** The next page, whatever is left of this one. */
  loadMore() {
    return this.more ? this.#load("after", this.last) : null;
  }

  #extend() {
    if (this.more && this.index >= this.findings.length - AHEAD) this.#load("after", this.last);
    else if (this.moreBefore && this.index < AHEAD) this.#load("before", this.first);
  }

  async #load(side, key) {
    if (this.loading) return;
    const asked = this.asked;
    this.loading = get("/api/queue/page", { ...asked, sampled: this.sampled, ...(key === null ? {} : { [side]: key }) });
    try {
      const found = await this.loading;
      if (asked !== this.asked) return;
      if (found.generation !== this.generation) {
        this.onpublished();
        return;
      }
      if (side === "after") this.more = found.more;
      else this.moreBefore = found.more;
      this.#append(found.groups, side === "after", found.sample);
    } catch {
      return; // asked for again when somebody moves on
    } finally {
      this.loading = null;
    }
    this.onchange();
  }

  #append(groups, atEnd, sample) {
    const have = new Set(this.findings.map(nameOf));
    const added = mixed(groups.flatMap((g) => g.findings.map((f, k) => known(g, f, k))), sample.map((f) => known({ findings: [f] }, f, 0)))
      .filter((f) => !have.has(nameOf(f)) && have.add(nameOf(f)));
    this.sampled = sample.at(-1)?.place ?? this.sampled;
    if (atEnd) {
      this.findings.push(...added);
      this.last = groups.at(-1)?.key ?? this.last;
      this.first ??= groups[0]?.key ?? null;
    } else {
      this.findings.unshift(...added);
      this.index += added.length;
      this.first = groups[0]?.key ?? this.first;
    }
  }
}

export const nameOf = (finding) => `${finding.batch}/${finding.finding_id ?? `label ${finding.annotation_id}`}`;

/** Cards of the random sample spread evenly among findings, never inside a picture's, and none at the very beginning. */
function mixed(findings, sample) {
  if (!findings.length) return sample;
  const out = [];
  const every = findings.length / (sample.length + 1);
  let next = 0;
  findings.forEach((finding, k) => {
    if (next < sample.length && k >= every * (next + 1) && finding.group.position === 0) out.push(sample[next++]);
    out.push(finding);
  });
  return [...out, ...sample.slice(next)];
}

function known(group, finding, position) {
  finding.group = { size: group.findings.length, position };
  return finding;
}
