import type { Box } from './placement.ts';

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The nearest in a direction; the same again where there is none. */
export function nextInDirection(boxes: ReadonlyMap<string, Box>, from: string, direction: Direction): string {
  const here = boxes.get(from);
  if (here === undefined) return boxes.keys().next().value ?? from;
  const centre = (box: Box): readonly [number, number] => [box.x + box.width / 2, box.y + box.height / 2];
  const [x, y] = centre(here);
  let best: { readonly id: string; readonly far: number } | undefined;
  for (const [id, box] of boxes) {
    if (id === from) continue;
    const [dx, dy] = [centre(box)[0] - x, centre(box)[1] - y];
    const [along, across] = { right: [dx, dy], left: [-dx, dy], down: [dy, dx], up: [-dy, dx] }[direction];
    if (along === undefined || across === undefined || along < 1) continue;
    const far = along + Math.abs(across) * 2.2;
    if (best === undefined || far < best.far) best = { id, far };
  }
  return best?.id ?? from;
}
