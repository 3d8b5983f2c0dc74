import { LOOKS, type Look } from './appearance.ts';
import { h, keepingFocus } from './dom.ts';
import { told } from './format.ts';
import { sample } from './shapes.ts';
import type { State } from './state.ts';

export interface ControlEvents {
  readonly change: (change: Partial<State>) => void;
  readonly fit: () => void;
  readonly zoom: (factor: number) => void;
  readonly rearrange: () => void;
  readonly collapseAll: () => void;
  readonly expandAll: () => void;
}

/** The choices beside the graph: they are its legend, too. */
export class Controls {
  readonly element = h('div', { class: 'controls', role: 'group', 'aria-label': 'What is shown' });
  readonly #events: ControlEvents;

  constructor(events: ControlEvents) {
    this.#events = events;
  }

  show(state: State, namespaces: readonly string[]): void {
    const { change } = this.#events;
    const box = (key: string, checked: boolean, label: readonly (Node | string)[], set: (on: boolean) => void): HTMLElement => {
      const input = h('input', { type: 'checkbox', 'data-key': key, onchange: () => set(input.checked) });
      input.checked = checked;
      return h('label', {}, input, label);
    };
    const toggled = <T>(from: ReadonlySet<T>, one: T, on: boolean): ReadonlySet<T> => {
      const set = new Set(from);
      if (on) set.add(one);
      else set.delete(one);
      return set;
    };
    const look = (one: Look, name: string): HTMLElement =>
      box(`look ${one}`, state.looks.has(one), [sample(one), name], (on) => change({ looks: toggled(state.looks, one, on) }));
    const button = (text: string, act: () => void, label = text): HTMLElement =>
      h('button', { type: 'button', 'data-key': label, 'aria-label': label, title: label, onclick: act }, text);
    const open = this.element.querySelector('details.namespaces')?.hasAttribute('open') === true;
    keepingFocus(this.element, () =>
      this.element.replaceChildren(
        h(
          'fieldset',
          {},
          h('legend', {}, 'Calls'),
          LOOKS.map(({ look: one, name }) => look(one, name)),
        ),
        h(
          'fieldset',
          {},
          h('legend', {}, 'Show'),
          box('quiet', state.quiet, ['workloads without calls'], (quiet) => change({ quiet })),
          box('overlay', state.overlay, ['what policies grant'], (overlay) => change({ overlay })),
          state.overlay && h('p', { class: 'legend' }, sample('granted'), 'granted, unused'),
          state.overlay && h('p', { class: 'legend' }, sample('ungranted'), 'used, not granted'),
          state.overlay && h('p', { class: 'legend' }, h('span', { class: 'ring', 'aria-hidden': 'true' }), 'open to all'),
        ),
        h(
          'details',
          { class: 'namespaces', open },
          h(
            'summary',
            { 'data-key': 'namespaces' },
            state.namespaces.size === 0 ? 'All namespaces' : `${state.namespaces.size} of ${namespaces.length} namespaces`,
          ),
          h(
            'div',
            { class: 'choices' },
            state.namespaces.size > 0 && button('Show all', () => change({ namespaces: new Set() })),
            namespaces.map((name) =>
              box(`namespace ${name}`, state.namespaces.has(name), [told(name)], (on) =>
                change({ namespaces: toggled(state.namespaces, name, on) }),
              ),
            ),
          ),
        ),
        h(
          'div',
          { class: 'buttons' },
          button('Fit', this.#events.fit, 'Fit: show all of the graph'),
          button('+', () => this.#events.zoom(1.25), 'Zoom in'),
          button('−', () => this.#events.zoom(0.8), 'Zoom out'),
        ),
        h(
          'div',
          { class: 'buttons' },
          button('Collapse', this.#events.collapseAll, 'Collapse all namespaces'),
          button('Expand', this.#events.expandAll, 'Expand all namespaces'),
          button('Arrange', this.#events.rearrange, 'Arrange anew'),
        ),
      ),
    );
  }
}
