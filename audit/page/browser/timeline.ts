import type { Series } from '../api/graph.ts';
import { fill, h, s, setAttributes } from './dom.ts';
import { clockTime, moment, number } from './format.ts';

export interface TimelineEvents {
  /** Undefined: all of the range. */
  readonly choose: (window: { readonly since: number; readonly until: number } | undefined) => void;
}

const HEIGHT = 44;

/** The past: calls over time, and two handles on what is shown of it. */
export class Timeline {
  readonly element: HTMLElement;
  readonly #events: TimelineEvents;
  readonly #bars = s('svg', { class: 'bars', height: HEIGHT, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  readonly #marks = h('div', { class: 'marks', 'aria-hidden': 'true' });
  readonly #from: HTMLInputElement;
  readonly #to: HTMLInputElement;
  readonly #shade = h('div', { class: 'shade', 'aria-hidden': 'true' });
  #since = 0;
  #stepMs = 60_000;
  #steps = 1;
  #held = false;

  constructor(events: TimelineEvents) {
    this.#events = events;
    const slider = (label: string): HTMLInputElement =>
      h('input', {
        type: 'range',
        min: 0,
        'aria-label': label,
        oninput: () => this.#moved(),
        onchange: () => this.#chosen(),
        onpointerdown: () => (this.#held = true),
        onpointerup: () => (this.#held = false),
        onpointercancel: () => (this.#held = false),
      });
    this.#from = slider('Shown from');
    this.#to = slider('Shown until');
    this.element = h(
      'div',
      { class: 'track', role: 'group', 'aria-label': 'Time' },
      this.#bars,
      this.#shade,
      this.#from,
      this.#to,
      this.#marks,
    );
  }

  show(series: Series, window: { readonly since: number; readonly until: number } | undefined): void {
    this.#since = Date.parse(series.since);
    this.#stepMs = series.stepMs;
    this.#steps = series.steps.length;
    const most = Math.max(1, ...series.steps.map(({ calls }) => calls));
    setAttributes(this.#bars, { viewBox: `0 0 ${this.#steps} ${HEIGHT}` });
    // A call beside thousands is still to be seen.
    const tall = (count: number): number => (count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 4)));
    fill(
      this.#bars,
      series.steps.flatMap(({ calls, denied, wouldBeDenied }, at) => {
        const bar = (kind: string, count: number): SVGRectElement | undefined =>
          count === 0
            ? undefined
            : s('rect', { class: kind, x: at + 0.1, width: 0.8, y: HEIGHT - tall(count), height: tall(count) });
        return [bar('calls', calls), bar('would', wouldBeDenied), bar('denied', denied)].flatMap((one) => one ?? []);
      }),
    );
    const label = (at: number): string => {
      const ms = this.#since + at * this.#stepMs;
      return this.#steps * this.#stepMs > 26 * 3_600_000 ? moment(ms) : clockTime(ms);
    };
    fill(
      this.#marks,
      [0, 1, 2, 3, 4].map((quarter) => h('span', {}, label((quarter * this.#steps) / 4))),
    );
    setAttributes(this.#from, { max: this.#steps });
    setAttributes(this.#to, { max: this.#steps });
    if (this.#held) return;
    const index = (ms: number): number => Math.round((ms - this.#since) / this.#stepMs);
    this.#from.value = String(window === undefined ? 0 : index(window.since));
    this.#to.value = String(window === undefined ? this.#steps : index(window.until));
    this.#tell();
  }

  #bounds(): { readonly from: number; readonly to: number } {
    const [a, b] = [Number(this.#from.value), Number(this.#to.value)];
    return { from: Math.min(a, b), to: Math.max(a, b) };
  }

  #moved(): void {
    const active = document.activeElement;
    // The handles stay a step apart.
    if (Number(this.#from.value) >= Number(this.#to.value)) {
      if (active === this.#to) this.#to.value = String(Math.min(this.#steps, Number(this.#from.value) + 1));
      else this.#from.value = String(Math.max(0, Number(this.#to.value) - 1));
    }
    this.#tell();
  }

  #chosen(): void {
    this.#held = false;
    const { from, to } = this.#bounds();
    this.#events.choose(
      from === 0 && to === this.#steps
        ? undefined
        : { since: this.#since + from * this.#stepMs, until: this.#since + Math.max(from + 1, to) * this.#stepMs },
    );
  }

  #tell(): void {
    const { from, to } = this.#bounds();
    const text = (at: number): string => moment(this.#since + at * this.#stepMs);
    setAttributes(this.#from, { 'aria-valuetext': text(from) });
    setAttributes(this.#to, { 'aria-valuetext': text(to) });
    this.#shade.style.setProperty('--from', `${(from / this.#steps) * 100}%`);
    this.#shade.style.setProperty('--to', `${100 - (to / this.#steps) * 100}%`);
  }
}

/** A small series without axes, for panels. */
export function sparkline({ steps }: Series): SVGSVGElement {
  const most = Math.max(1, ...steps.map(({ calls }) => calls));
  const tall = (count: number): number => (count === 0 ? 0 : Math.max(2, (count / most) * 36));
  return s(
    'svg',
    {
      class: 'bars spark',
      viewBox: `0 0 ${steps.length} 38`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': `calls over time, at most ${number(most)} in one step`,
    },
    steps.flatMap(({ calls, denied }, at) => [
      s('rect', { class: 'calls', x: at + 0.1, width: 0.8, y: 38 - tall(calls), height: tall(calls) }),
      s('rect', { class: 'denied', x: at + 0.1, width: 0.8, y: 38 - tall(denied), height: tall(denied) }),
    ]),
  );
}
