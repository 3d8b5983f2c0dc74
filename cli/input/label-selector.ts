import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

export type Labels = Readonly<Record<string, unknown>>;

const NAME = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?`;
const VALUE = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?`;
const EQUAL = new RegExp(`^(${NAME})\\s*(==|=|!=)\\s*(${VALUE})$`);
const AMONG = new RegExp(`^(${NAME})\\s+(in|notin)\\s+\\(([^()]*)\\)$`);
const THERE = new RegExp(`^(!?)\\s*(${NAME})$`);

/** A selector as `-l` takes it (kubernetes.io, "Labels and Selectors"): which labels it means. */
export function parseLabelSelector(text: string): Parsed<(labels: Labels) => boolean> {
  const tests: ((labels: Labels) => boolean)[] = [];
  for (const part of text.split(/,(?![^(]*\))/).map((one) => one.trim())) {
    const [, equalName = '', operator, value = ''] = EQUAL.exec(part) ?? [];
    const [, amongName = '', among, values = ''] = AMONG.exec(part) ?? [];
    const [, not, name] = THERE.exec(part) ?? [];
    if (operator !== undefined) tests.push((labels) => (labels[equalName] === value) === (operator !== '!='));
    else if (among !== undefined) {
      const wanted = new Set<unknown>(values.split(',').map((one) => one.trim()));
      tests.push((labels) => wanted.has(labels[amongName]) === (among === 'in'));
    } else if (name !== undefined) tests.push((labels) => Object.hasOwn(labels, name) === (not === ''));
    else return refused(`"${part}" is no label selector (as app=web, tier!=back, env in (a,b), !canary)`);
  }
  return parsed((labels) => tests.every((test) => test(labels)));
}
