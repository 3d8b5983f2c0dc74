import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { RolloutList, RolloutSummary } from '../api/rollout.ts';
import { h } from './dom.ts';
import { ago, counted, duration, number, told } from './format.ts';
import { tag } from './parts.ts';
import { STAGE_NAMES, stageIndex, TRACK } from './stages.ts';
import { stageTrack } from './stage-track.ts';
import { DataTable } from './table.ts';

type Kind = 'all' | Stage | 'not-begun' | 'held' | 'ready' | 'armed' | 'expired';

const KINDS: readonly { readonly kind: Kind; readonly name: string }[] = Object.freeze([
  { kind: 'all', name: 'all' },
  ...TRACK.map(({ stage }) => ({ kind: stage, name: `at ${STAGE_NAMES[stage]}` })),
  { kind: 'not-begun', name: 'not begun' },
  { kind: 'held', name: 'held back' },
  { kind: 'ready', name: 'ready for the next step' },
  { kind: 'armed', name: 'rollback armed' },
  { kind: 'expired', name: 'with what has ended' },
]);

function isOf(kind: Kind, { rollout, unknown }: RolloutSummary): boolean {
  switch (kind) {
    case 'all':
      return true;
    case 'not-begun':
      return rollout === undefined && unknown !== true;
    case 'held':
      return rollout !== undefined && rollout.held > 0;
    case 'ready':
      return rollout?.next !== undefined && rollout.held === 0;
    case 'armed':
      return rollout?.armedUntil !== undefined;
    case 'expired':
      return (rollout?.expired ?? 0) > 0;
    case 'observe':
    case 'strict':
    case 'dry-run':
    case 'enforce':
      return rollout?.stage === kind;
    default:
      return kind satisfies never;
  }
}

function holds({ rollout, unknown }: RolloutSummary): readonly (HTMLElement | string | false)[] {
  if (unknown) return [tag('warn', 'not known yet')];
  if (rollout === undefined) return [h('span', { class: 'soft' }, 'no NamespaceRollout')];
  const { held, heldBy, next, paused, expired, armedUntil, rolledBack } = rollout;
  const armedMs = armedUntil === undefined ? 0 : Date.parse(armedUntil) - Date.now();
  return [
    paused && tag('warn', 'paused'),
    rolledBack && tag('bad', 'was rolled back automatically'),
    armedMs > 0 && tag('warn', `rollback armed for ${duration(armedMs)}`),
    expired > 0 && tag('bad', `${number(expired)} ended`),
    next === undefined
      ? tag('good', 'at its target')
      : held === 0
        ? tag('good', `ready for ${STAGE_NAMES[next]}`)
        : `${told(heldBy ?? '')}${held > 1 ? ` (and ${held - 1} more)` : ''}`,
  ];
}

/** How far each namespace is, and what holds it back. */
export class RolloutView {
  readonly elements: readonly HTMLElement[];
  readonly #table: DataTable<RolloutSummary>;
  readonly #text = h('p', { class: 'soft' });
  readonly #found = h('p', { class: 'unseen', role: 'status' });
  #list: RolloutList | undefined;
  #kind: Kind = 'all';
  #search = '';

  constructor(open: (namespace: string) => void) {
    this.#table = new DataTable<RolloutSummary>(
      'How far each namespace is rolled out',
      [
        {
          title: 'Namespace',
          cell: ({ namespace }) =>
            h(
              'button',
              {
                type: 'button',
                class: 'name',
                'data-key': `rollout ${namespace}`,
                'aria-label': `Rollout of ${told(namespace)}`,
                onclick: () => open(namespace),
              },
              told(namespace),
            ),
          by: ({ namespace }) => namespace,
        },
        {
          title: 'Stage',
          cell: ({ rollout, unknown }) => {
            if (unknown) return '–';
            return rollout === undefined ? tag('calm', 'not begun') : stageTrack(rollout.stage, rollout.target, 'small');
          },
          by: ({ rollout }) => (rollout === undefined ? -1 : stageIndex(rollout.stage)),
        },
        {
          title: 'Gates met',
          cell: ({ rollout }) => (rollout === undefined || rollout.gates === 0 ? '–' : `${rollout.gatesMet} of ${rollout.gates}`),
          by: ({ rollout }) => (rollout === undefined || rollout.gates === 0 ? -1 : rollout.gatesMet / rollout.gates),
          numeric: true,
        },
        { title: 'What holds it back', cell: holds, by: ({ rollout }) => -(rollout?.held ?? -1) },
        {
          title: 'In this stage since',
          cell: ({ rollout }) => (rollout === undefined ? '–' : ago(rollout.since, Date.now())),
          by: ({ rollout }) => rollout?.since ?? '',
        },
      ],
      ({ namespace }) => namespace,
    );
    const search = h('input', {
      type: 'search',
      placeholder: 'Namespace',
      'aria-label': 'Namespaces whose name has',
      autocomplete: 'off',
      spellcheck: 'false',
      oninput: () => {
        this.#search = search.value.trim().toLowerCase();
        this.#draw();
      },
    });
    const kinds = h(
      'select',
      {
        'aria-label': 'Which namespaces',
        onchange: () => {
          this.#kind = KINDS.find(({ kind }) => kind === kinds.value)?.kind ?? 'all';
          this.#draw();
        },
      },
      KINDS.map(({ kind, name }) => h('option', { value: kind }, name)),
    );
    this.elements = [
      h('h1', {}, 'Zero trust, one namespace at a time'),
      this.#text,
      h('div', { class: 'filters' }, search, kinds, this.#found),
      this.#table.element,
    ];
  }

  /** How far each namespace is that has a rollout. */
  get stages(): ReadonlyMap<string, Stage> {
    return new Map(
      this.#list?.namespaces.flatMap(({ namespace, rollout }) => (rollout === undefined ? [] : [[namespace, rollout.stage]])),
    );
  }

  show(list: RolloutList): void {
    this.#list = list;
    this.#draw();
  }

  #draw(): void {
    const { known, namespaces, omitted } = this.#list ?? { known: true, namespaces: [], omitted: 0 };
    const at = (kind: Kind): number => namespaces.filter((one) => isOf(kind, one)).length;
    const parts = [
      ...TRACK.map(({ stage }) => `${number(at(stage))} at ${STAGE_NAMES[stage]}`),
      `${number(at('not-begun'))} not begun`,
    ];
    const text = `${known ? '' : 'This control plane runs no rollouts. '}${counted(namespaces.length, 'namespace')}: ${parts.join(', ')}${omitted > 0 ? `; ${number(omitted)} more are not shown` : ''}. Choose one to see its gates and the command for its next step; this page gives no orders.`;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    const shown = namespaces.filter(
      (one) => isOf(this.#kind, one) && (this.#search === '' || one.namespace.includes(this.#search)),
    );
    const found = this.#kind === 'all' && this.#search === '' ? '' : `${counted(shown.length, 'namespace')} found`;
    if (this.#found.textContent !== found) this.#found.textContent = found;
    this.#table.show(shown);
  }
}
