import { type Stage, STAGES } from '../../mesh/model/namespace-rollout.ts';
import type { RolloutObject, RolloutState } from './ports.ts';

/** The text of a record; each of its values is one of JSON. */
export function recordText(record: RolloutState): string {
  return `${JSON.stringify(record, undefined, 1)}\n`;
}

/** Of records that are written here. */
export const RECORD_VERSION = 1;

/** Undefined for a text that is no record, or one of a newer version: to guess could open a namespace. */
export function parseRecord(text: string): RolloutState | undefined {
  const value = json(text);
  return isRecord(value) ? value : undefined;
}

/** Which version a text says it is of; 0: none. */
export function versionOfRecord(text: string): number {
  const { version } = fields(json(text));
  return typeof version === 'number' ? version : 0;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Names of namespaces become names of files and objects. */
export function isNamespaceName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}

export function isStage(value: unknown): value is Stage {
  return STAGES.some((stage) => stage === value);
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';

function isObject(value: unknown): value is RolloutObject {
  const { kind, apiVersion, metadata, spec } = fields(value);
  const { name, namespace } = fields(metadata);
  return (
    (kind === 'PeerAuthentication' || kind === 'AuthorizationPolicy') &&
    isText(apiVersion) &&
    isText(name) &&
    isText(namespace) &&
    typeof spec === 'object' &&
    spec !== null
  );
}

function isTransition(value: unknown): boolean {
  const { number, at, from, to, cause, by, reason, gates, objects } = fields(value);
  return (
    typeof number === 'number' &&
    isStage(from) &&
    isStage(to) &&
    [at, cause, by, reason].every(isText) &&
    Array.isArray(gates) &&
    Array.isArray(objects)
  );
}

function isIntent(value: unknown): boolean {
  const { transition, objects, dryRun, held } = fields(value);
  return (
    isTransition(transition) && Array.isArray(objects) && objects.every(isObject) && Array.isArray(dryRun) && areStages(held)
  );
}

const areAnswered = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((entry: unknown) => {
    const { from, to } = fields(entry);
    const { methods, paths } = fields(to);
    const areTexts = (list: unknown): boolean => list === undefined || (Array.isArray(list) && list.every(isText));
    return (
      typeof from === 'object' && from !== null && typeof to === 'object' && to !== null && areTexts(methods) && areTexts(paths)
    );
  });

const areStages = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(fields(value)).every(isStage);

function isRecord(value: unknown): value is RolloutState {
  const of = fields(value);
  const optional = (name: string, test: (one: unknown) => boolean): boolean => of[name] === undefined || test(of[name]);
  return (
    of['version'] === RECORD_VERSION &&
    typeof of['namespace'] === 'string' &&
    isNamespaceName(of['namespace']) &&
    isTime(of['revision']) &&
    isStage(of['stage']) &&
    isTime(of['since']) &&
    isTime(of['objectsSince']) &&
    Array.isArray(of['objects']) &&
    of['objects'].every(isObject) &&
    optional('suggestion', Array.isArray) &&
    areStages(of['held']) &&
    optional('known', (one) => Object.values(fields(one)).every(isText)) &&
    optional('paused', (one) => isTime(fields(one)['at']) && isText(fields(one)['by'])) &&
    optional(
      'armed',
      (one) => isTime(fields(one)['since']) && isTime(fields(one)['until']) && Array.isArray(fields(one)['suspects']),
    ) &&
    optional('answered', areAnswered) &&
    optional('intent', isIntent) &&
    Array.isArray(of['history']) &&
    of['history'].every(isTransition)
  );
}
