import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, isConflict, isNotFound } from '../../kubernetes/api/api-error.ts';
import type { ApiClient } from '../../kubernetes/api/client.ts';
import { isJson, type Json, listAt, mapAt, textAt } from '../../kubernetes/api/json.ts';
import { type Asked as Told, explain } from '../../kubernetes/objects/explain.ts';
import { ConfigMaps } from '../../kubernetes/rollout/config-map.ts';
import { ORDER_ANNOTATION, orderText, parseOrder } from '../../kubernetes/rollout/order.ts';
import { PLAN_ANNOTATION, planName, unpackedPlan } from '../../kubernetes/rollout/plans.ts';
import { ROLLOUTS_PATH, rolloutPath } from '../../kubernetes/rollout/watched.ts';
import type { PlanToBegin, RolloutOrder } from '../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../policy/rollout/status.ts';
import { type ClusterWish, openCluster } from '../serve/cluster-options.ts';
import { type Asked, isPlan, isStatus, type RolloutOrders } from './orders.ts';

const LOOK_MS = 250;
/** A leader that ended is followed by another after 15 s. */
const ANSWER_MS = 60_000;
/** An order that nobody has taken yet is left alone for so long. */
const OTHERS_MS = 5_000;
const ATTEMPTS = 5;
const MANAGER = 'gatehouse-rollout-order';

type Refused = Extract<Asked<never>, { ok: false }>;

/** Rollouts of a cluster: orders stand in an annotation of the NamespaceRollout, answers and stages in its status. */
export async function ordersOfCluster(wish: ClusterWish): Promise<RolloutOrders> {
  const { client, systemNamespace } = await openCluster(wish);
  return new ClusterOrders(client, systemNamespace);
}

class ClusterOrders implements RolloutOrders {
  readonly #client: ApiClient;
  readonly #systemNamespace: string;

  constructor(client: ApiClient, systemNamespace: string) {
    this.#client = client;
    this.#systemNamespace = systemNamespace;
  }

  statuses(): Promise<Asked<readonly RolloutStatus[]>> {
    return this.#asked('get', '', async () => {
      const all = listAt(await this.#client.request({ path: ROLLOUTS_PATH }), 'items').filter(isJson);
      return { ok: true, value: counted(all).flatMap((one) => statusIn(one) ?? []) };
    });
  }

  status(namespace: string): Promise<Asked<RolloutStatus>> {
    return this.#asked('get', namespace, async () => {
      const found = await this.#find(namespace);
      return found.ok ? statusAsked(found.value) : found;
    });
  }

  plan(namespace: string): Promise<Asked<PlanToBegin>> {
    return this.#asked('apply', namespace, async () => {
      const found = await this.#find(namespace);
      if (!found.ok) return found;
      const id = randomUUID();
      await this.#annotate(found.value, { [PLAN_ANNOTATION]: id }, undefined);
      const maps = new ConfigMaps(this.#client, this.#systemNamespace);
      for (const end = performance.now() + ANSWER_MS; performance.now() < end; await pause(LOOK_MS)) {
        const map = await maps.read(planName(namespace));
        if (map?.data['id'] !== id) continue;
        const answer = unpackedPlan(map.data['plan'] ?? '');
        const plan = isJson(answer) ? answer['plan'] : undefined;
        if (isPlan(plan)) return { ok: true, value: plan };
        return refused(textAt(answer, 'error') || 'the control plane answers with something else: it is of another version');
      }
      return refused(
        `no control plane has answered in namespace ${this.#systemNamespace} within ${ANSWER_MS / 1000} s: is one running there for the revision of ${namespace}? (one in another namespace: --system-namespace)`,
      );
    });
  }

  order(namespace: string, order: RolloutOrder): Promise<Asked<RolloutStatus>> {
    return this.#asked('apply', namespace, async () => {
      const found = await this.#find(namespace);
      if (!found.ok) return found;
      const name = textAt(found.value, 'metadata', 'name');
      const id = randomUUID();
      const text = orderText({ id, order: { ...order, by: await this.#self() } });
      await this.#give(namespace, name, text);
      return this.#answer(namespace, name, id);
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Over the version that was read, so that of two orders at once one comes after the other. */
  async #give(namespace: string, name: string, text: string): Promise<void> {
    const since = performance.now();
    for (let attempt = 1; ;) {
      const live = await this.#client.request({ path: rolloutPath(namespace, name) });
      const waiting = parseOrder(textAt(live, 'metadata', 'annotations', ORDER_ANNOTATION));
      const last = mapAt(live, 'status', 'lastOrder');
      const busy = waiting.ok && (last['id'] !== waiting.value.id || typeof last['accepted'] !== 'boolean');
      if (busy && performance.now() - since < OTHERS_MS) {
        await pause(LOOK_MS);
        continue;
      }
      try {
        await this.#annotate(isJson(live) ? live : {}, { [ORDER_ANNOTATION]: text }, textAt(live, 'metadata', 'resourceVersion'));
        return;
      } catch (error) {
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
        attempt += 1;
      }
    }
  }

  async #answer(namespace: string, name: string, id: string): Promise<Asked<RolloutStatus>> {
    for (const end = performance.now() + ANSWER_MS; performance.now() < end; await pause(LOOK_MS)) {
      const live = await this.#client.request({ path: rolloutPath(namespace, name) });
      const last = mapAt(live, 'status', 'lastOrder');
      if (last['id'] === id && typeof last['accepted'] === 'boolean') {
        if (last['accepted']) return statusAsked(isJson(live) ? live : {});
        const [error = '', ...heldBy] = textAt(last, 'message').split('; ');
        return { ok: false, error, heldBy };
      }
      const stands = parseOrder(textAt(live, 'metadata', 'annotations', ORDER_ANNOTATION));
      if (!stands.ok || (stands.value.id !== id && last['id'] !== id))
        return refused('another order came in between; see the status, and order again');
    }
    return this.#silent(namespace);
  }

  #silent(namespace: string): Refused {
    return refused(
      `no control plane has answered within ${ANSWER_MS / 1000} s: is one running for the revision of ${namespace}? The order stands, and is acted on when one comes; to withdraw it: kubectl annotate nsr -n ${namespace} --all ${ORDER_ANNOTATION}-`,
    );
  }

  /** Who the API server says that we are: in another's name nothing is let in. */
  async #self(): Promise<string> {
    const review = await this.#client.request({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    return textAt(review, 'status', 'userInfo', 'username');
  }

  async #annotate(rollout: Json, annotations: Json, resourceVersion: string | undefined): Promise<void> {
    const [namespace, name] = [textAt(rollout, 'metadata', 'namespace'), textAt(rollout, 'metadata', 'name')];
    await this.#client.request({
      method: 'PATCH',
      path: `${rolloutPath(namespace, name)}?fieldManager=${MANAGER}`,
      body: { metadata: { annotations, ...(resourceVersion !== undefined && { resourceVersion }) } },
    });
  }

  async #find(namespace: string): Promise<Asked<Json>> {
    const [first] = counted(listAt(await this.#client.request({ path: rolloutPath(namespace) }), 'items').filter(isJson));
    return first === undefined ? refused(`namespace ${namespace} has no NamespaceRollout`) : { ok: true, value: first };
  }

  async #asked<T>(verb: Told['verb'], namespace: string, work: () => Promise<Asked<T>>): Promise<Asked<T>> {
    try {
      return await work();
    } catch (error) {
      if (isNotFound(error) && error instanceof ApiError && error.reason === '')
        return refused('the cluster has no kind NamespaceRollout (gatehouse install prints its definition)');
      const { server, name } = this.#client.access;
      const resource = 'namespacerollouts.gatehouse.dev';
      const found = explain(error, { server, context: name, verb, resource, namespace });
      if (found === undefined) throw error;
      return refused(found.hint === undefined ? found.reason : `${found.reason} (${found.hint})`);
    }
  }
}

function refused(error: string): Refused {
  return { ok: false, error, heldBy: [] };
}

/** The oldest of each namespace. */
function counted(all: readonly Json[]): readonly Json[] {
  const key = (one: Json): string => `${textAt(one, 'metadata', 'creationTimestamp')} ${textAt(one, 'metadata', 'name')}`;
  const sorted = [...all].sort((one, other) => (key(one) < key(other) ? -1 : 1));
  return [...new Map(sorted.toReversed().map((one) => [textAt(one, 'metadata', 'namespace'), one])).values()].toReversed();
}

function statusAsked(rollout: Json): Asked<RolloutStatus> {
  const status = statusIn(rollout);
  const namespace = textAt(rollout, 'metadata', 'namespace');
  return status === undefined
    ? refused(`nothing is known of ${namespace} yet: no control plane has written its status (does one run for its revision?)`)
    : { ok: true, value: status };
}

/** As the control plane wrote it: the last steps only, and of each how many objects there were. */
function statusIn(rollout: Json): RolloutStatus | undefined {
  const status = mapAt(rollout, 'status');
  const history = listAt(status, 'history')
    .filter(isJson)
    .map((one) => ({ gates: [], ...one, objects: typeof one['objects'] === 'number' ? [`${one['objects']} objects`] : [] }));
  const lists = Object.fromEntries(['gates', 'heldBy', 'exceptions', 'accepted'].map((field) => [field, listAt(status, field)]));
  const whole: unknown = {
    ...status,
    ...lists,
    history,
    namespace: textAt(rollout, 'metadata', 'namespace'),
    name: textAt(rollout, 'metadata', 'name'),
  };
  return isStatus(whole) ? whole : undefined;
}
