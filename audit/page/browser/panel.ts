import { type Child, fill, h, keepingFocus } from './dom.ts';

/** What is told of the one thing that was chosen. */
export class Panel {
  readonly element: HTMLElement;
  readonly #title = h('h2', { tabindex: '-1' });
  readonly #body = h('div', { class: 'body' });
  #before: Element | null = null;

  constructor(closed: () => void) {
    const close = h('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: closed }, '×');
    this.element = h(
      'aside',
      { class: 'panel', 'aria-label': 'Details', hidden: true },
      h('header', {}, this.#title, close),
      this.#body,
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') closed();
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Another thing is shown: reading starts at its title. */
  open(title: string): void {
    if (!this.isOpen) this.#before = document.activeElement;
    this.element.hidden = false;
    this.#title.textContent = title;
    fill(this.#body, h('p', { class: 'soft' }, 'Loading…'));
    this.element.scrollTop = 0;
    this.#title.focus({ preventScroll: true });
  }

  /** The same thing, as it is now. What was unfolded stays so. */
  fill(...children: readonly Child[]): void {
    const nameOf = (one: Element, at: number): string => one.getAttribute('data-key') ?? String(at);
    const all = (): readonly HTMLDetailsElement[] => [...this.#body.querySelectorAll('details')];
    const unfolded = new Map(all().map((one, at) => [nameOf(one, at), one.open]));
    keepingFocus(this.element, () => fill(this.#body, children));
    all().forEach((one, at) => (one.open = unfolded.get(nameOf(one, at)) ?? one.open));
  }

  close(): void {
    if (!this.isOpen) return;
    this.element.hidden = true;
    const back = this.#opener();
    if (back instanceof SVGElement || back instanceof HTMLElement) back.focus({ preventScroll: true });
  }

  /** What had the focus before. Lists are made anew while the panel is open: then it is what stands in its place. */
  #opener(): Element | null {
    const key = this.#before?.getAttribute('data-key');
    if (this.#before?.isConnected !== false || key === null || key === undefined) return this.#before;
    return document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }
}
