import type { GateResult, RolloutStatus, Transition } from '../../../policy/rollout/status.ts';
import type { RolloutDetails, RolloutPreview } from '../api/rollout.ts';
import { command } from './command.ts';
import { type Child, h } from './dom.ts';
import { ago, counted, duration, number, told } from './format.ts';
import { facts, section, tag } from './parts.ts';
import { STAGE_NAMES, stageIndex } from './stages.ts';
import { stageTrack } from './stage-track.ts';

/** One that is not here yet is told by its own word. */
const GATE_NAMES: Readonly<Record<string, string>> = Object.freeze({
  'observed-for': 'Observed for long enough',
  requests: 'Enough calls',
  'record-complete': 'Records are complete',
  'plain-text': 'No caller in plain text',
  'would-be-denied': 'Nobody would be denied',
  agreement: 'Proxies and policies agree',
  proxies: 'All proxies have it',
  conflicts: 'No other policy in the way',
  exceptions: 'No exception has ended',
});

const CAUSES: Readonly<Record<string, string>> = Object.freeze({
  command: 'by command',
  automatic: 'automatically',
  'rollback-command': 'rolled back by command',
  'rollback-automatic': 'rolled back automatically',
  'suggestion-renewed': 'policies suggested anew',
  exceptions: 'exceptions changed',
  noticed: 'noticed in the configuration',
});

function list(items: readonly string[], omitted = 0): HTMLElement | false {
  return (
    items.length > 0 &&
    h(
      'ul',
      { class: 'notes' },
      items.map((item) => h('li', {}, told(item))),
      omitted > 0 && h('li', { class: 'soft' }, `and ${number(omitted)} more`),
    )
  );
}

function gate({ gate: kind, met, wanted, found, details, omittedDetails, accepted }: GateResult): HTMLElement {
  return h(
    'li',
    { class: `gate ${met ? 'met' : 'unmet'}` },
    h('p', { class: 'call' }, h('span', {}, GATE_NAMES[kind] ?? kind), tag(met ? 'good' : 'bad', met ? '✓ met' : '✕ not met')),
    facts([
      ['Wanted', told(wanted)],
      ['Found', told(found)],
    ]),
    accepted > 0 && h('p', { class: 'soft' }, `${counted(accepted, 'finding')} on the accepted list`),
    list(details, omittedDetails),
  );
}

function gates(all: readonly GateResult[]): HTMLElement {
  // What holds it back comes first.
  const sorted = all.toSorted((a, b) => Number(a.met) - Number(b.met));
  return h('ul', { class: 'plain gates' }, sorted.map(gate));
}

function until(iso: string, expired: boolean, now: number): HTMLElement {
  const left = Date.parse(iso) - now;
  return expired || left <= 0
    ? tag('bad', `ended ${duration(left)} ago`)
    : tag(left < 3 * 86_400_000 ? 'warn' : 'calm', `${duration(left)} left`);
}

function answered(what: Child, owner: string, end: HTMLElement): HTMLElement {
  return h('li', { class: 'card' }, h('p', {}, what), h('p', { class: 'soft' }, `${told(owner)} answers for it `, end));
}

function steps(history: readonly Transition[], omitted: number, now: number): Child {
  if (history.length === 0) return h('p', {}, 'No step was taken yet.');
  const one = ({ number: at, at: time, from, to, cause, by, reason, gates: seen, objects }: Transition): HTMLElement => {
    const back = stageIndex(to) < stageIndex(from);
    return h(
      'li',
      { class: 'card step' },
      h(
        'p',
        { class: 'call' },
        h('span', {}, from === to ? STAGE_NAMES[to] : `${STAGE_NAMES[from]} → ${STAGE_NAMES[to]}`),
        tag(back ? 'warn' : 'calm', CAUSES[cause] ?? cause),
      ),
      h('p', {}, told(reason)),
      h(
        'p',
        { class: 'soft' },
        `${number(at)}: ${told(by)}, `,
        h('time', { datetime: time, title: time }, ago(time, now)),
        seen.some(({ met }) => !met) && !back ? [' ', tag('warn', 'gates were overridden')] : false,
      ),
      (seen.length > 0 || objects.length > 0) &&
        h(
          'details',
          { class: 'why', 'data-key': `step ${at}` },
          h(
            'summary',
            { 'data-key': `step ${at}` },
            `Evidence: ${counted(seen.length, 'gate')}, ${counted(objects.length, 'object')} written`,
          ),
          seen.length > 0 && gates(seen),
          list(objects),
        ),
    );
  };
  return [
    h('ol', { class: 'plain', reversed: true }, history.map(one)),
    omitted > 0 && h('p', { class: 'soft' }, `and ${counted(omitted, 'earlier step')}`),
  ];
}

function preview({ cutOff, omittedCutOff, changes, omittedChanges, notes, next }: RolloutPreview): Child {
  return [
    h(
      'p',
      {},
      cutOff.length === 0
        ? 'Nobody who called would be cut off.'
        : `${counted(cutOff.length + omittedCutOff, 'caller')} would be cut off:`,
    ),
    cutOff.length > 0 &&
      h(
        'ul',
        { class: 'plain' },
        cutOff.map(({ caller, destination, port, calls, lastSeen, why }) =>
          h(
            'li',
            { class: 'card' },
            h(
              'p',
              {},
              h('code', {}, told(caller)),
              ' → ',
              h('code', {}, `${told(destination)}${port === undefined ? '' : `:${port}`}`),
            ),
            h('p', { class: 'soft' }, `${counted(calls, 'call')}, last ${ago(lastSeen, Date.now())}; ${told(why)}`),
          ),
        ),
      ),
    h(
      'p',
      {},
      changes.length === 0 ? 'No object would change.' : `Objects${next === undefined ? '' : ` of ${STAGE_NAMES[next]}`}:`,
    ),
    list(
      changes.map(({ change, object }) => `${change} ${object}`),
      omittedChanges,
    ),
    list(notes),
  ];
}

export interface RolloutPanelParts {
  readonly details: RolloutDetails;
  /** Undefined: nobody asked for it yet. */
  readonly preview: RolloutPreview | 'asked' | undefined;
  readonly askPreview: () => void;
  readonly now: number;
}

function seenBefore({ preview: seen, askPreview }: Pick<RolloutPanelParts, 'preview' | 'askPreview'>): HTMLElement {
  return section(
    'The next step, seen before',
    seen === undefined || seen === 'asked'
      ? h(
          'button',
          { type: 'button', 'data-key': 'preview', disabled: seen === 'asked', onclick: askPreview },
          seen === 'asked' ? 'Asked…' : 'Whom would it cut off, what would it write?',
        )
      : preview(seen),
  );
}

function notBegun({ details: { namespace, known, unknown, begin = '' }, ...asking }: RolloutPanelParts): readonly Child[] {
  if (unknown)
    return [
      h(
        'p',
        {},
        'It has a NamespaceRollout, and nothing is known of it yet. The log of the control plane says why, if that stays so.',
      ),
    ];
  return [
    h('p', {}, 'Its calls are recorded and nothing is refused for a rollout: it has no NamespaceRollout.'),
    !known && h('p', { class: 'problem' }, 'This control plane runs no rollouts.'),
    section(
      'To begin',
      h(
        'p',
        {},
        'Apply this by the command below, or commit it. Beginning changes nothing: it goes on only by command, once its gates are met.',
      ),
      command(begin, 'the NamespaceRollout'),
      command(`gatehouse rollout plan ${namespace} -o yaml | gatehouse apply -f -`, 'the command that applies it'),
    ),
    known && seenBefore(asking),
  ];
}

function commands({ namespace, stage, command: next }: RolloutStatus): Child {
  return [
    next !== undefined && command(next, 'the next step'),
    stage !== 'observe' && h('p', { class: 'soft' }, 'One step back, at once:'),
    stage !== 'observe' && command(`gatehouse rollout rollback ${namespace}`, 'one step back'),
    h(
      'p',
      { class: 'soft' },
      'This page gives no orders. Run it where you may: beside the control plane, or with access to the cluster.',
    ),
  ];
}

/** All about one namespace's rollout, what matters for the next step first. */
export function rolloutPanel({ details, preview: seen, askPreview, now }: RolloutPanelParts): readonly Child[] {
  const { status } = details;
  if (status === undefined) return notBegun({ details, preview: seen, askPreview, now });
  const { stage, target, next, advance, paused, since, heldBy, exceptions, accepted, rollbackArmedUntil, history } = status;
  return [
    stageTrack(stage, target, 'large'),
    facts([
      ['Stage', [`${STAGE_NAMES[stage]}, since `, h('time', { datetime: since, title: since }, ago(since, now))]],
      ['Target', STAGE_NAMES[target]],
      [
        'Goes on',
        paused
          ? tag('warn', 'paused')
          : { Automatic: 'by itself', Manual: 'by command', Propose: 'by git: nothing is written' }[advance],
      ],
      [
        'Rollback',
        rollbackArmedUntil === undefined
          ? 'by command'
          : tag('warn', `automatic for ${duration(Math.max(0, Date.parse(rollbackArmedUntil) - now))} more`),
      ],
    ]),
    section(
      next === undefined ? 'At its target' : `Next: ${STAGE_NAMES[next]}`,
      next !== undefined && heldBy.length === 0 && h('p', {}, tag('good', 'nothing holds it back')),
      heldBy.length > 0 && h('p', {}, tag('bad', `held back by ${heldBy.length}`)),
      list(heldBy),
      commands(status),
    ),
    status.gates.length > 0 && section('Gates', gates(status.gates)),
    seenBefore({ preview: seen, askPreview }),
    exceptions.length > 0 &&
      section(
        'Workloads that go no further',
        h(
          'ul',
          { class: 'plain' },
          exceptions.map(({ workload, upTo, owner, until: end, expired }) =>
            answered([h('code', {}, told(workload)), ` up to ${STAGE_NAMES[upTo]}`], owner, until(end, expired, now)),
          ),
        ),
      ),
    accepted.length > 0 &&
      section(
        'Accepted',
        h(
          'ul',
          { class: 'plain' },
          accepted.map(({ text, owner, until: end, expired, calls }) =>
            answered(`${told(text)} (${counted(calls, 'call')})`, owner, until(end, expired, now)),
          ),
        ),
      ),
    section('History', steps(history, details.omittedHistory, now)),
  ];
}
