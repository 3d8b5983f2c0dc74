import { stringify } from 'yaml';
import type { PlanToBegin } from '../../policy/rollout/ports.ts';
import { objectsText } from '../serve/rollout/files/object-files.ts';
import { statusText } from './print-status.ts';
import { columns, wrapped } from './text.ts';

const MOST_LINES = 40;

function rest(all: number): string {
  return all > MOST_LINES ? `  and ${all - MOST_LINES} more (-o json has all)\n` : '';
}

/** What the next step would write, whom it would cut off, and what it rests on. */
export function planText({ status, begin, changes, cutOff, notes }: PlanToBegin, now: number): string {
  const lines = [statusText(status, now), '\n'];
  if (status.next !== undefined) {
    lines.push(`To enter ${status.next}, these objects are written:\n`);
    if (changes.length === 0) lines.push('  none: they are there already\n');
    for (const { change, object } of changes.slice(0, MOST_LINES)) lines.push(wrapped(object, `  ${change.padEnd(7)} `));
    lines.push(rest(changes.length));
    lines.push(cutOff.length === 0 ? '\nNobody that was seen would be cut off.\n' : '\nThese callers would be cut off:\n');
  }
  if (cutOff.length > 0)
    lines.push(
      columns([
        ['  CALLER', 'DESTINATION', 'CALLS', 'LAST SEEN', 'WHY'],
        ...cutOff
          .slice(0, MOST_LINES)
          .map(({ caller, destination, port, calls, lastSeen, why }) => [
            `  ${caller}`,
            port === undefined ? destination : `${destination}:${port}`,
            String(calls),
            lastSeen,
            why,
          ]),
      ]),
      rest(cutOff.length),
    );
  if (notes.length > 0)
    lines.push(
      '\nTo be known:\n',
      ...notes.slice(0, MOST_LINES).map((note) => wrapped(note, '  - ', '    ')),
      rest(notes.length),
    );
  if (begin !== undefined)
    lines.push(
      `\nNamespace ${status.namespace} has no NamespaceRollout. Begin with this one (gatehouse rollout plan ${status.namespace} -o yaml | gatehouse apply -f -):\n\n`,
      stringify(begin),
    );
  return lines.join('');
}

/** The very objects, for git and for `apply`: to begin with the NamespaceRollout, then those of the next stage. */
export function planYaml({ status, begin, objects }: PlanToBegin): string {
  if (begin !== undefined) return objectsText([begin], `# begins the rollout of ${status.namespace}\n`);
  const stage = status.next ?? status.stage;
  const held = status.heldBy.map((text) => `# not yet, ${text.replaceAll(/\s+/g, ' ')}\n`).join('');
  if (objects.length === 0) return `# at ${stage} namespace ${status.namespace} has no objects of the rollout\n${held}`;
  return objectsText(objects, `# all objects of namespace ${status.namespace} at ${stage}\n${held}`);
}
