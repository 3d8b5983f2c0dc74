import type { GraphNode } from '../api/graph.ts';
import { h } from './dom.ts';
import { told } from './format.ts';

const MOST = 12;

export function matching(nodes: readonly GraphNode[], text: string): readonly GraphNode[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return [];
  return nodes.filter(({ id, namespace, name }) => {
    const all = `${id} ${namespace}/${name}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

export interface SearchEvents {
  readonly nodes: () => readonly GraphNode[];
  readonly searched: (text: string) => void;
  readonly chosen: (node: GraphNode) => void;
}

/** A combobox (WAI-ARIA APG): the list follows the text, arrows choose, Enter goes there. */
export function searchBox({ nodes, searched, chosen }: SearchEvents): HTMLElement {
  const list = h('ul', { id: 'found', role: 'listbox', 'aria-label': 'Workloads found' });
  const input = h('input', {
    type: 'search',
    placeholder: 'Search workloads  /',
    'aria-label': 'Search workloads',
    role: 'combobox',
    'aria-controls': 'found',
    'aria-expanded': 'false',
    'aria-autocomplete': 'list',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  let found: readonly GraphNode[] = [];
  let at = -1;
  const draw = (): void => {
    list.replaceChildren(
      ...found.slice(0, MOST).map((node, index) => {
        const item = h(
          'li',
          { id: `found-${index}`, role: 'option', 'aria-selected': index === at ? 'true' : 'false' },
          told(node.name),
          h('span', { class: 'soft' }, ` ${told(node.namespace)}`),
        );
        item.addEventListener('pointerdown', (event) => {
          event.preventDefault();
          choose(node);
        });
        return item;
      }),
    );
    const open = found.length > 0 && document.activeElement === input;
    list.hidden = !open;
    input.setAttribute('aria-expanded', open ? 'true' : 'false');
    if (open && at >= 0) input.setAttribute('aria-activedescendant', `found-${at}`);
    else input.removeAttribute('aria-activedescendant');
  };
  const choose = (node: GraphNode): void => {
    input.value = '';
    found = [];
    at = -1;
    searched('');
    draw();
    chosen(node);
  };
  input.addEventListener('input', () => {
    found = matching(nodes(), input.value);
    at = found.length > 0 ? 0 : -1;
    searched(input.value);
    draw();
  });
  input.addEventListener('blur', () => draw());
  input.addEventListener('focus', () => draw());
  input.addEventListener('keydown', (event) => {
    const most = Math.min(MOST, found.length);
    if (event.key === 'ArrowDown') at = Math.min(most - 1, at + 1);
    else if (event.key === 'ArrowUp') at = Math.max(0, at - 1);
    else if (event.key === 'Enter') {
      const node = found[Math.max(0, at)];
      if (node !== undefined) choose(node);
      return;
    } else if (event.key === 'Escape') {
      input.value = '';
      found = [];
      searched('');
    } else return;
    event.preventDefault();
    draw();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
  list.hidden = true;
  return h('div', { class: 'search' }, input, list);
}
