// The export page: how much was decided, and a card for each format that can be downloaded.
import { h, get, count, refusalOf, toast } from "./shell.js";

const NAMES = {
  coco: "Corrected COCO", "relabel-csv": "Relabelling list", "relabel-coco": "COCO to relabel", "label-studio": "Label Studio", cvat: "CVAT", fiftyone: "FiftyOne", tags: "Tags",
};
const VERDICTS = { accept: "accepted", relabel: "to relabelling", unsure: "unsure", reject: "rejected" };

const main = document.getElementById("main");
let found = null;

function show() {
  const sum = (test, field = "n") => found.decided.filter(test).reduce((total, row) => total + row[field], 0);
  const tiles = Object.entries(VERDICTS).map(([verdict, title]) => [verdict, title, sum((r) => r.verdict === verdict)]);
  const asides = [["carried out already", sum(() => true, "applied")], ["superseded", sum(() => true, "superseded")], ["in disagreement", sum(() => true, "disagreement")], ["tags", found.tags]].filter(([, n]) => n);
  const authors = [...new Set(found.decided.map((r) => r.author))];
  const options = {
    batch: choice([["", "All batches"], ...found.batches.map((b) => [b, b])]),
    author: choice([["", "Everybody's"], ...authors.map((a) => [a, a])]),
    select: choice([["relabel", "What was sent to relabelling"], ["queue", "Findings that nobody has decided"]]),
    url: h("input", { type: "text", placeholder: "https://…/images/", maxlength: 500 }),
  };
  const label = (title, input) => h("label", {}, title, input);
  main.append(
    h("div", {}, h("h1", {}, "Export"), h("p", { class: "lead" }, "What people decided, as files for the next tool. Labels that nobody touched stay as they were delivered, to the byte; where two people decided otherwise, nothing is changed.")),
    h("div", { class: "tiles" }, tiles.map(([verdict, title, n]) => h("div", { class: `card tile ${verdict}` }, h("strong", {}, count(n)), h("span", { class: "soft" }, title))),
      asides.map(([title, n]) => h("div", { class: "card tile" }, h("strong", {}, count(n)), h("span", { class: "soft" }, title)))),
    h("div", { class: "card options" }, label("Batch", options.batch), label("Decisions", options.author), label("To annotators", options.select), label("Before file names in tasks", options.url)),
    h("div", { class: "formats" }, found.formats.map((format) => card(format, options))),
    ...found.problems.map((problem) => h("p", { class: "small soft" }, problem)));
}

const choice = (values) => h("select", {}, values.map(([value, title]) => h("option", { value }, title)));

function card({ name, description }, options) {
  const said = h("ul", { class: "said" });
  const button = h("button", { type: "button", class: "primary", onclick: () => download(name, options, button, said) }, "Download");
  return h("article", { class: "card format", data: { format: name } },
    h("div", {}, h("h2", {}, NAMES[name] ?? name), h("p", {}, description)), said,
    h("footer", {}, h("code", {}, `label-quality export ${name}`), button));
}

async function download(name, { batch, author, select, url }, button, said) {
  button.disabled = true;
  button.textContent = "Making it …";
  const body = { batches: batch.value ? [batch.value] : [], author: author.value || null, select: select.value, image_url: url.value };
  try {
    const answer = await fetch(`/api/export/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw await refusalOf(answer);
    said.replaceChildren(...JSON.parse(decodeURIComponent(answer.headers.get("x-says"))).map((line) => h("li", {}, line)));
    const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: `${name}.zip` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    toast(`Not exported: ${error.message}`, { wrong: true });
  } finally {
    button.disabled = false;
    button.textContent = "Download";
  }
}

try {
  found = await get("/api/export");
} catch (error) {
  main.append(h("div", { class: "nothing" }, h("h2", {}, "There is nothing to export yet"), h("p", {}, error.message)));
}
if (found) show();
