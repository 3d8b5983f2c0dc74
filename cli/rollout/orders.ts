import { askControlPlane, type AdminAnswer, refusalText } from '../serve/admin-client.ts';
import type { PlanToBegin, RolloutOrder } from '../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../policy/rollout/status.ts';

export type Asked<T> =
  | { readonly ok: true; readonly value: T }
  /** `heldBy`: what is in the way, in words. */
  | { readonly ok: false; readonly error: string; readonly heldBy: readonly string[] };

/** Where rollouts are run: a control plane of this machine, or a cluster. */
export interface RolloutOrders {
  statuses(): Promise<Asked<readonly RolloutStatus[]>>;
  /** Not ok where the namespace has none. */
  status(namespace: string): Promise<Asked<RolloutStatus>>;
  plan(namespace: string): Promise<Asked<PlanToBegin>>;
  order(namespace: string, order: RolloutOrder): Promise<Asked<RolloutStatus>>;
  close?(): void;
}

/** By the admin socket of the control plane that runs on an authority's folder. */
export function ordersBySocket(caDir: string): RolloutOrders {
  const path = (namespace: string, rest = ''): string => `/rollout/${encodeURIComponent(namespace)}${rest}`;
  return {
    statuses: async () => read(await askControlPlane(caDir, 'GET', '/rollout'), areStatuses),
    status: async (namespace) => read(await askControlPlane(caDir, 'GET', path(namespace)), isStatus),
    plan: async (namespace) => read(await askControlPlane(caDir, 'GET', path(namespace, '/plan')), isPlan),
    async order(namespace, { kind, ...body }) {
      return read(await askControlPlane(caDir, 'POST', path(namespace, `/${kind}`), body), isStatus);
    },
  };
}

function read<T>(answer: AdminAnswer, is: (value: unknown) => value is T): Asked<T> {
  if (answer.kind === 'away') return { ok: false, error: answer.reason, heldBy: [] };
  if (answer.status >= 300) return { ok: false, error: refusalText(answer.body), heldBy: heldBy(answer.body) };
  if (is(answer.body)) return { ok: true, value: answer.body };
  return { ok: false, error: 'the control plane answers with something else: it is of another version', heldBy: [] };
}

function heldBy(body: unknown): readonly string[] {
  const list = fields(body)['heldBy'];
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Looked at no closer: the control plane and this command are of one version, and what it says is only printed. */
export function isStatus(value: unknown): value is RolloutStatus {
  const { namespace, stage, gates, heldBy: held, history, exceptions, accepted } = fields(value);
  return (
    typeof namespace === 'string' &&
    typeof stage === 'string' &&
    [gates, held, history, exceptions, accepted].every(Array.isArray)
  );
}

function areStatuses(value: unknown): value is readonly RolloutStatus[] {
  return Array.isArray(value) && value.every(isStatus);
}

export function isPlan(value: unknown): value is PlanToBegin {
  const { status, objects, changes, cutOff, notes } = fields(value);
  return isStatus(status) && [objects, changes, cutOff, notes].every(Array.isArray);
}
