// The queue: for now a page of findings with their crops.
import { h, get, UrlState, percent, words } from "./shell.js";
import { Crop, around } from "./crop.js";
import { shapesOf, boxesOf } from "./shapes.js";
import { sceneOf } from "./scenes.js";

const state = new UrlState({ type: [], category: [], batch: [], p_min: 0.5, sort: "p_error" });
const main = document.getElementById("main");
const { groups } = await get("/api/queue/page", state.values());
main.append(h("div", { class: "findings" }, groups.flatMap((group) => group.findings.map(cardOf))));

function cardOf(finding) {
  const stage = h("div", { class: "stage" });
  sceneOf(finding.batch, finding.image_id).then((scene) => {
    const crop = new Crop(scene.image, { title: finding.reason });
    stage.append(crop.svg);
    crop.fit(around(boxesOf(finding)));
    crop.draw(shapesOf(finding, scene));
  });
  return h("article", { class: "card finding", data: { id: finding.finding_id } }, stage,
    h("div", { class: "text" },
      h("div", {}, h("span", { class: "badge" }, words(finding.error_type)), " ", percent(finding.p_error)),
      h("p", { class: "small" }, finding.reason)));
}
