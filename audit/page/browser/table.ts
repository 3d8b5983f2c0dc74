import { type Child, h } from './dom.ts';
import { counted, number } from './format.ts';

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => Child;
  /** What rows are sorted by; absent: not by this column. */
  readonly by?: (row: T) => string | number;
  readonly numeric?: boolean;
}

const PAGE = 100;

function ordered<T>(rows: readonly T[], by: ((row: T) => string | number) | undefined, down: boolean): readonly T[] {
  if (by === undefined) return rows;
  const sorted = rows.toSorted((a, b) => {
    const [x, y] = [by(a), by(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  return down ? sorted.reverse() : sorted;
}

/** A table that sorts by its heads and shows a hundred rows at a time, so that thousands cost nothing. */
export class DataTable<T> {
  readonly element = h('div', { class: 'table' });
  readonly #caption: string;
  readonly #columns: readonly Column<T>[];
  readonly #key: (row: T) => string;
  #rows: readonly T[] = [];
  #sorted: { column: number; down: boolean };
  #page = 0;

  constructor(caption: string, columns: readonly Column<T>[], key: (row: T) => string, sorted = { column: 0, down: false }) {
    this.#caption = caption;
    this.#columns = columns;
    this.#key = key;
    this.#sorted = sorted;
  }

  show(rows: readonly T[]): void {
    this.#rows = rows;
    this.#draw();
  }

  #draw(): void {
    const focused = document.activeElement?.getAttribute('data-key');
    const inside = this.element.contains(document.activeElement);
    const { column, down } = this.#sorted;
    const pages = Math.max(1, Math.ceil(this.#rows.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const rows = ordered(this.#rows, this.#columns[column]?.by, down).slice(this.#page * PAGE, (this.#page + 1) * PAGE);
    const head = this.#columns.map(({ title, by, numeric }, at) =>
      h(
        'th',
        {
          scope: 'col',
          class: numeric === true ? 'number' : undefined,
          'aria-sort': at === column ? (down ? 'descending' : 'ascending') : undefined,
        },
        by === undefined
          ? title
          : h(
              'button',
              { type: 'button', class: 'sort', 'data-key': `sort ${at}`, onclick: () => this.#sort(at) },
              title,
              h('span', { class: 'arrow', 'aria-hidden': 'true' }, at === column ? (down ? ' ↓' : ' ↑') : ''),
            ),
      ),
    );
    const body = rows.map((row) =>
      h(
        'tr',
        { 'data-row': this.#key(row) },
        this.#columns.map(({ cell, numeric }) => h('td', { class: numeric === true ? 'number' : undefined }, cell(row))),
      ),
    );
    const step = (by: number, name: string, able: boolean): HTMLElement =>
      h('button', { type: 'button', 'data-key': name, disabled: !able, onclick: () => this.#turn(by) }, name);
    this.element.replaceChildren(
      h(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': this.#caption },
        h('table', {}, h('caption', { class: 'unseen' }, this.#caption), h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)),
      ),
      h(
        'p',
        { class: 'pages' },
        h(
          'span',
          {},
          pages === 1
            ? counted(this.#rows.length, 'row')
            : `${number(this.#page * PAGE + 1)} to ${number(this.#page * PAGE + rows.length)} of ${counted(this.#rows.length, 'row')}`,
        ),
        pages > 1 && [step(-1, 'Previous', this.#page > 0), step(1, 'Next', this.#page < pages - 1)],
      ),
    );
    if (!inside || focused === null || focused === undefined) return;
    for (const one of this.element.querySelectorAll<HTMLElement>('[data-key]'))
      if (one.dataset['key'] === focused) one.focus({ preventScroll: true });
  }

  #sort(column: number): void {
    this.#sorted = {
      column,
      down: this.#sorted.column === column ? !this.#sorted.down : this.#columns[column]?.numeric === true,
    };
    this.#page = 0;
    this.#draw();
  }

  #turn(by: number): void {
    this.#page += by;
    this.#draw();
  }
}
