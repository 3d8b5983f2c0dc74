import type { Box } from './placement.ts';

/** Which part of the drawing is seen: a point of it at the left top corner, and pixels for a unit. */
export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

const SMALLEST = 0.02;
export const LARGEST = 2.5;

export function zoomed(view: Viewport, factor: number, at: { readonly x: number; readonly y: number }): Viewport {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * factor));
  return { scale, x: view.x + at.x / view.scale - at.x / scale, y: view.y + at.y / view.scale - at.y / scale };
}

export function panned(view: Viewport, dx: number, dy: number): Viewport {
  return { ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale };
}

/** All boxes in sight, with a margin; never larger than life. */
export function fitting(boxes: readonly Box[], width: number, height: number, most = 1.1): Viewport {
  if (boxes.length === 0) return { x: 0, y: 0, scale: 1 };
  const left = Math.min(...boxes.map(({ x }) => x));
  const top = Math.min(...boxes.map(({ y }) => y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  const margin = 36;
  const scale = Math.max(SMALLEST, Math.min(most, (width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top)));
  return { scale, x: (left + right) / 2 - width / 2 / scale, y: (top + bottom) / 2 - height / 2 / scale };
}

export function seen(box: Box, view: Viewport, width: number, height: number): boolean {
  const margin = 80 / view.scale;
  return (
    box.x + box.width > view.x - margin &&
    box.y + box.height > view.y - margin &&
    box.x < view.x + width / view.scale + margin &&
    box.y < view.y + height / view.scale + margin
  );
}
