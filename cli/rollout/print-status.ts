import type { GateResult, RolloutStatus, Transition } from '../../policy/rollout/status.ts';
import { ago, columns, wrapped } from './text.ts';

const NONE = 'no namespace has a NamespaceRollout (gatehouse rollout plan NAMESPACE prints one to begin with)\n';

/** One line for each namespace. */
export function statusTable(statuses: readonly RolloutStatus[], now: number): string {
  if (statuses.length === 0) return NONE;
  return columns([
    ['NAMESPACE', 'STAGE', 'FOR', 'TARGET', 'ADVANCE', 'NEXT', 'GATES', 'HELD BY'],
    ...statuses.map(({ namespace, stage, since, target, advance, next, gates, heldBy, paused }) => [
      namespace,
      stage,
      ago(since, now),
      target,
      paused ? 'paused' : advance,
      next ?? '-',
      gates.length === 0 ? '-' : `${gates.filter(({ met }) => met).length}/${gates.length}`,
      heldBy.length === 0 ? (next === undefined ? 'at its target' : 'nothing') : shortly(heldBy),
    ]),
  ]);
}

function shortly(heldBy: readonly string[]): string {
  const names = heldBy.map((text) => text.split(':', 1)[0] ?? text);
  return names.join(', ');
}

function gateLines({ gate, met, wanted, found, details, omittedDetails, accepted }: GateResult): string {
  const lines = [
    wrapped(
      `${wanted}: ${found}${accepted > 0 ? ` (${accepted} accepted)` : ''}`,
      `  ${met ? 'met ' : 'NOT '} ${gate.padEnd(16)} `,
    ),
    ...details.map((detail) => wrapped(detail, `${' '.repeat(24)}- `, ' '.repeat(26))),
    ...(omittedDetails > 0 ? [`${' '.repeat(24)}and ${omittedDetails} more\n`] : []),
  ];
  return lines.join('');
}

export function historyLines(history: readonly Transition[], gates: boolean): string {
  return history
    .map((one) => {
      const step = one.from === one.to ? one.to : `${one.from} > ${one.to}`;
      const overridden = one.cause === 'command' ? one.gates.filter(({ met }) => !met).map(({ gate }) => gate) : [];
      return [
        wrapped(
          `${one.at}  ${step}  ${one.cause} by ${one.by}${one.reason === '' ? '' : `: ${one.reason}`}`,
          `  ${String(one.number).padStart(3)}  `,
        ),
        ...(overridden.length > 0 ? [wrapped(`not met, and overridden: ${overridden.join(', ')}`, '       ')] : []),
        ...(gates ? one.gates.map((gate) => `  ${gateLines(gate).replaceAll('\n  ', '\n    ')}`) : []),
        ...(gates && one.objects.length > 0 ? [wrapped(`objects: ${one.objects.join(', ')}`, '       ')] : []),
      ].join('');
    })
    .join('');
}

const MOST_HISTORY = 5;

/** All of one namespace. */
export function statusText(status: RolloutStatus, now: number): string {
  const { namespace, stage, target, advance, paused, since, next, gates, heldBy, exceptions, accepted, history } = status;
  const lines = [
    wrapped(
      `${stage} since ${since} (${ago(since, now)}), target ${target}, advance ${advance}${paused ? ', paused' : ''}`,
      `${namespace}: `,
    ),
  ];
  if (next === undefined) lines.push('next: nothing, it is at its target\n');
  else lines.push(`next: ${next}\n`, ...gates.map(gateLines));
  // Gates say it better than in words.
  const other = heldBy.filter((text) => !gates.some(({ gate, met }) => !met && text.startsWith(`${gate}:`)));
  for (const text of other) lines.push(wrapped(text, 'held by: '));
  if (status.rollbackArmedUntil !== undefined)
    lines.push(
      wrapped(`denials of callers that were let through before take it back until ${status.rollbackArmedUntil}`, 'rollback: '),
    );
  for (const { workload, upTo, owner, until, expired } of exceptions)
    lines.push(wrapped(`${workload} goes up to ${upTo} (${owner}, until ${until}${expired ? ', EXPIRED' : ''})`, 'exception: '));
  for (const { text, owner, until, expired, calls } of accepted)
    lines.push(wrapped(`${text} (${owner}, until ${until}${expired ? ', EXPIRED' : ''}; ${calls} calls)`, 'accepted: '));
  if (history.length > 0)
    lines.push(
      'history:\n',
      historyLines(history.slice(0, MOST_HISTORY), false),
      ...(history.length > MOST_HISTORY
        ? [`  and ${history.length - MOST_HISTORY} more: gatehouse rollout history ${namespace}\n`]
        : []),
    );
  if (status.command !== undefined)
    lines.push(wrapped(status.command, heldBy.length === 0 ? 'take the next step: ' : 'once nothing holds it: '));
  return lines.join('');
}
