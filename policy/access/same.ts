import { hash } from 'node:crypto';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { jwtRulesFor } from '../request-authentication/applying.ts';
import { keptBy } from '../kept.ts';
import { policiesFor } from '../select.ts';
import { findProvider } from '../../mesh/model/extension-provider.ts';
import type { Side } from './world.ts';

const texts = new WeakMap<object, string>();

/** What an object says, wherever it stands. */
function textOf(object: object): string {
  const known =
    texts.get(object) ??
    JSON.stringify(object, (key, value: unknown) => (key === 'meta' || key === 'origin' ? undefined : value));
  texts.set(object, known);
  return known;
}

const decides = ({ dryRun, action }: AuthorizationPolicy): boolean => !dryRun && action !== 'AUDIT';

/** Many workloads have the same policies. A service account without a namespace is in that of its policy. */
const policiesText = keptBy((policies: readonly AuthorizationPolicy[]): string => {
  const texts = policies.filter(decides).map((policy) => `${policy.meta.namespace} ${textOf(policy)}`);
  return hash('sha256', JSON.stringify(texts.sort()), 'hex');
});

function providers(snapshot: Snapshot, names: readonly (string | undefined)[]): readonly string[] {
  return names.map((name) => {
    const found = findProvider(snapshot, name);
    if (found.kind === 'nowhere' && snapshot.services.length === 0) return `${name ?? ''} found ${found.provider.kind}`;
    return `${name ?? ''} ${found.kind} ${found.kind === 'unknown' ? '' : found.provider.kind}`;
  });
}

/**
 * A text for all that decides about requests to a destination. Equal texts mean equal access; unequal ones may as well, only
 * that has to be found out.
 */
export function accessText({ snapshot, destination }: Side): string {
  const policies = policiesFor(snapshot, destination).filter(decides);
  const custom = policies.filter(({ action }) => action === 'CUSTOM').map(({ provider }) => provider);
  const levels = snapshot.peerAuthentications.filter(({ meta }) => meta.namespace === destination.namespace);
  const ports = [
    ...new Set([...destination.ports.map(({ port }) => port), ...levels.flatMap(({ portLevel }) => [...portLevel.keys()])]),
  ];
  return JSON.stringify([
    textOf(snapshot.meshConfig),
    policiesText(policiesFor(snapshot, destination)),
    workloadMtlsSetting(snapshot, destination).mode,
    ports.sort((one, other) => one - other).map((port) => [port, mtlsSetting(snapshot, destination, port).mode]),
    jwtRulesFor(snapshot, destination).map(({ rule }) => textOf(rule)),
    providers(snapshot, custom),
    destination.ports,
  ]);
}
