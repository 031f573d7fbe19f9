// What lies over pictures, fetched once: the boxes of an image, and its outlines, which come later.
import { get } from "./shell.js";
import { imageUrl } from "./crop.js";

const KEPT = 60;
const scenes = new Map();

const key = (batch, id) => `${encodeURIComponent(batch)}/${id}`;

/** {image, labels, predictions} of an image; `outlines` of it is a promise of {labels: {id: path}, predictions: {"model/id": path}}. */
export function sceneOf(batch, id) {
  const name = key(batch, id);
  if (!scenes.has(name)) {
    const scene = get(`/api/scenes/${name}`).then((found) => ({ ...found, outlines: lazily(name) }));
    scene.catch(() => scenes.delete(name));
    scenes.set(name, scene);
    if (scenes.size > KEPT) scenes.delete(scenes.keys().next().value);
  }
  return scenes.get(name);
}

function lazily(name) {
  const outlines = get(`/api/outlines/${name}`, { minimum: 0.05 });
  outlines.catch(() => {});
  return outlines;
}

/** Forgets all: something else was published. */
export function forgetScenes() {
  scenes.clear();
}

/** Has the pictures of findings, and what lies over them, ready before they are looked at. */
export function prefetch(findings) {
  for (const { batch, image_id } of findings) {
    sceneOf(batch, image_id).then(() => {}, () => {});
    const picture = new Image();
    picture.src = imageUrl(batch, image_id);
    picture.decode().catch(() => {}); // a placeholder stands in its place
  }
}
