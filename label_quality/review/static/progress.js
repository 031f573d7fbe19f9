// How far one is: what was decided of what the filters show, how many of the last decisions found an error, when to stop.
import { h, count } from "./shell.js";

const PARTS = { accept: "accepted", relabel: "to relabelling", unsure: "unsure", reject: "rejected" };

export class ProgressBar {
  constructor() {
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-label": "Decided" });
    this.text = h("div", { class: "progress-text numbers" });
    this.hint = h("div", { class: "hint", hidden: true });
    this.element = h("div", { class: "progress" }, this.text, this.bar, this.hint);
  }

  /** `progress` as /api/queue/progress gives it. */
  show(progress) {
    const { findings, images, last, last_errors: errors, expected_left: left } = progress;
    const decided = Object.keys(PARTS).reduce((sum, part) => sum + progress[part], 0);
    this.bar.setAttribute("aria-valuemax", findings);
    this.bar.setAttribute("aria-valuenow", decided);
    this.bar.replaceChildren(...Object.entries(PARTS).map(([part, title]) => {
      const piece = h("span", { class: `part ${part}`, title: `${count(progress[part])} ${title}` });
      piece.style.width = `${(100 * progress[part]) / Math.max(findings, 1)}%`;
      return piece;
    }));
    this.text.replaceChildren(...[
      h("strong", {}, `${count(decided)} of ${count(findings)}`), " findings decided",
      h("span", { class: "soft" }, ` in ${count(images)} ${images === 1 ? "picture" : "pictures"}`),
      last ? h("span", { class: "yield" }, `${errors} of the last ${last} were errors`) : null,
      left >= 0.5 ? h("span", { class: "soft left" }, `about ${count(left)} errors left`) : null,
      progress.sample.drawn ? h("span", { class: "soft sampled", title: "Cards that were drawn at random: their answers measure the error rate, errors that nobody suspects included" },
        `${count(progress.sample.drawn - progress.sample.open)} of ${count(progress.sample.drawn)} of the sample answered`) : null].filter(Boolean));
    this.hint.hidden = !progress.time_to_stop;
    this.hint.textContent = `${errors} of the last ${last} were errors: with 95 % confidence the next ${progress.ahead} hold at most ${progress.most_errors}. What is left under these filters is hardly worth the time: stop here, or look at another type.`;
  }
}
