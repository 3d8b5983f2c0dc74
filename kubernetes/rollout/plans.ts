import { gunzipSync, gzipSync } from 'node:zlib';
import type { Logger } from 'pino';
import type { ApiClient } from '../api/client.ts';
import { textAt } from '../api/json.ts';
import { ConfigMaps } from './config-map.ts';
import { RECORD_LABEL } from './records.ts';
import type { SeenRollout } from './watched.ts';

/** On a NamespaceRollout: somebody wants its plan, under a name of their own. Nothing is changed by it. */
export const PLAN_ANNOTATION = 'gatehouse.dev/rollout-plan';

export interface PlansOptions {
  readonly client: ApiClient;
  readonly systemNamespace: string;
  readonly log: Logger;
  readonly isLeader: () => boolean;
  readonly isOurs: (rollout: SeenRollout) => boolean;
  /** A value of JSON. */
  readonly plan: (namespace: string) => Promise<unknown>;
}

const ID = /^[A-Za-z0-9-]{1,64}$/;
const LARGEST = 900 * 1024;

/** Answers who wants a plan, in a ConfigMap beside the control plane: whoever may read that may know who calls whom. */
export class Plans {
  readonly #options: PlansOptions;
  readonly #maps: ConfigMaps;
  readonly #answered = new Map<string, string>();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PlansOptions) {
    this.#options = options;
    this.#maps = new ConfigMaps(options.client, options.systemNamespace);
  }

  seen(rollout: SeenRollout): void {
    const id = textAt(rollout.annotations, PLAN_ANNOTATION);
    const { isLeader, isOurs, log } = this.#options;
    if (!ID.test(id) || this.#answered.get(rollout.namespace) === id || !isLeader() || !isOurs(rollout)) return;
    this.#answered.set(rollout.namespace, id);
    this.#turn = this.#turn
      .then(() => this.#answer(rollout.namespace, id))
      .catch((error: unknown) => {
        this.#answered.delete(rollout.namespace);
        log.warn({ namespace: rollout.namespace, err: error }, 'a plan cannot be answered with');
      });
  }

  async close(): Promise<void> {
    await this.#turn;
  }

  async #answer(namespace: string, id: string): Promise<void> {
    const before = await this.#maps.read(planName(namespace));
    if (before?.data['id'] === id) return;
    const packed = packedPlan(await this.#options.plan(namespace));
    const data =
      packed.length <= LARGEST
        ? { id, plan: packed }
        : {
            id,
            plan: packedPlan({ ok: false, error: 'the plan is larger than a ConfigMap may be; ask the control plane itself' }),
          };
    await this.#maps.write(planName(namespace), data, { [RECORD_LABEL]: namespace }, before);
  }
}

export function planName(namespace: string): string {
  return `gatehouse-rollout-${namespace}.plan`;
}

function packedPlan(plan: unknown): string {
  return gzipSync(JSON.stringify(plan)).toString('base64');
}

/** @throws Error for what is none */
export function unpackedPlan(text: string): unknown {
  return JSON.parse(gunzipSync(Buffer.from(text, 'base64'), { maxOutputLength: 64 * 1024 * 1024 }).toString('utf8'));
}
