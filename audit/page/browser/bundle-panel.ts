import type { Graph } from '../api/graph.ts';
import { h } from './dom.ts';
import { short, told } from './format.ts';
import { nameOf } from './lists.ts';

const MOST = 200;

/** The edges that are drawn as one. */
export function bundlePanel(members: Graph['edges'], open: (source: string, target: string) => void): HTMLElement {
  return h(
    'ul',
    { class: 'plain edges' },
    members
      .toSorted((a, b) => b.denied - a.denied || b.calls - a.calls)
      .slice(0, MOST)
      .map(({ source, target, calls, denied }) =>
        h(
          'li',
          {},
          h(
            'button',
            { type: 'button', class: 'row', 'data-key': `edge ${source} ${target}`, onclick: () => open(source, target) },
            h('span', {}, `${told(nameOf(source))} → ${told(nameOf(target))}`),
            h('span', { class: 'number' }, denied > 0 ? `${short(calls)}, ${short(denied)} denied` : short(calls)),
          ),
        ),
      ),
  );
}
