import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { isJson, textAt } from '../api/json.ts';
import type { RolloutOrder } from '../../policy/rollout/ports.ts';
import { ORDER_ANNOTATION, parseOrder } from './order.ts';
import { type ClusterRecords, RecordChanged, type TakenOrder } from './records.ts';
import type { LastOrder } from './status.ts';
import type { SeenRollout } from './watched.ts';

export interface OrdersOptions {
  readonly records: ClusterRecords;
  readonly log: Logger;
  readonly isLeader: () => boolean;
  /** Finishes what was begun in a namespace, or undoes it. */
  readonly settle: (namespace: string) => Promise<void>;
  /** Whether it is for this revision's control plane. */
  readonly isOurs: (rollout: SeenRollout) => boolean;
  /** Undefined: somebody else decides by now, and says what became of it. */
  readonly act: (rollout: SeenRollout, order: RolloutOrder) => Promise<OrderOutcome | undefined>;
  readonly tell: (rollout: SeenRollout, last: LastOrder) => void;
}

export interface OrderOutcome {
  readonly accepted: boolean;
  readonly message: string;
}

const LONGEST_MESSAGE = 2000;
const AGAIN_MS = 2000;

/**
 * Orders that stand in annotations, each acted on once: that it was taken is kept before it is carried out, and what became of it after. One that was taken by a
 * replica that is gone is not given again, but for those that change nothing when they are repeated.
 */
export class Orders {
  readonly #options: OrdersOptions;
  readonly #taker = randomUUID();
  #turn: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<string>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /** Looks at an object, when nothing else is being done. */
  seen(rollout: SeenRollout): void {
    const text = textAt(rollout.annotations, ORDER_ANNOTATION);
    const { isLeader, isOurs, log } = this.#options;
    if (text === '' || this.#closed || !isLeader() || !isOurs(rollout)) return;
    if (isAnswered(rollout, text)) return;
    const key = `${rollout.uid} ${text}`;
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#turn = this.#turn
      .then(() => (this.#closed || !isLeader() ? undefined : this.#look(rollout, text)))
      .catch((error: unknown) => {
        log.warn({ rollout: `${rollout.namespace}/${rollout.name}`, err: error }, 'an order cannot be taken now');
        const retry = setTimeout(() => {
          this.#retries.delete(retry);
          this.seen(rollout);
        }, AGAIN_MS).unref();
        this.#retries.add(retry);
      })
      .finally(() => this.#waiting.delete(key));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const retry of this.#retries) clearTimeout(retry);
    await this.#turn;
  }

  async #look(rollout: SeenRollout, text: string): Promise<void> {
    const { records, tell } = this.#options;
    const order = parseOrder(text);
    if (!order.ok) return tell(rollout, { id: '', accepted: false, message: `${ORDER_ANNOTATION}: ${order.reason}` });
    const { id, order: wanted } = order.value;
    const taken = await records.order(rollout.namespace);
    if (taken?.id === id) {
      const answer = taken.answer ?? (await this.#takenOver(rollout, wanted, taken));
      if (answer === undefined) return;
      if (taken.answer === undefined) await this.#keep(rollout, id, taken.transitions, answer);
      return tell(rollout, { id, ...answer });
    }
    const transitions = records.transitions(rollout.namespace);
    const { namespace, uid } = rollout;
    await records.keepOrder(namespace, { id, uid, taker: this.#taker, transitions, answer: undefined });
    tell(rollout, { id, accepted: undefined, message: 'taken' });
    const answer = await this.#act(rollout, wanted);
    if (answer === undefined) return;
    await this.#keep(rollout, id, transitions, answer);
    tell(rollout, { id, ...answer });
  }

  async #act(rollout: SeenRollout, order: RolloutOrder): Promise<OrderOutcome | undefined> {
    try {
      const outcome = await this.#options.act(rollout, order);
      return outcome && { ...outcome, message: outcome.message.slice(0, LONGEST_MESSAGE) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error(
        { rollout: `${rollout.namespace}/${rollout.name}`, order: order.kind, err: error },
        'an order failed',
      );
      return { accepted: false, message: `it failed: ${reason}`.slice(0, LONGEST_MESSAGE) };
    }
  }

  /** Whoever took it is gone, or decides no more. A transition that was begun is finished; none is begun any more. */
  async #takenOver(rollout: SeenRollout, order: RolloutOrder, taken: TakenOrder): Promise<OrderOutcome | undefined> {
    // Over the version that they know: what they have not begun by now they cannot begin.
    if (taken.taker !== this.#taker) await this.#options.records.keepOrder(rollout.namespace, { ...taken, taker: this.#taker });
    if (order.kind === 'pause' || order.kind === 'resume') return this.#act(rollout, order);
    const { namespace } = rollout;
    await this.#options.settle(namespace);
    const record = await this.#options.records.peek(namespace);
    if (record?.intent !== undefined) throw new Error(`a step of ${namespace} was begun, and cannot be finished yet`);
    return (record?.history.length ?? 0) > taken.transitions
      ? {
          accepted: true,
          message: `${namespace} is at ${record?.stage}: carried out over the end of the control plane that took it`,
        }
      : {
          accepted: false,
          message: 'the control plane that took it ended, or decides no more, before it was carried out; order again',
        };
  }

  async #keep({ namespace, uid }: SeenRollout, id: string, transitions: number, answer: OrderOutcome): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#options.records.keepOrder(namespace, { id, uid, taker: this.#taker, transitions, answer });
        return;
      } catch (error) {
        if (!(error instanceof RecordChanged) || attempt >= 3) throw error;
      }
    }
  }
}

/** Whether its status says already what became of what stands there. */
function isAnswered({ status }: SeenRollout, text: string): boolean {
  const last = status['lastOrder'];
  if (!isJson(last) || typeof last['accepted'] !== 'boolean') return false;
  const order = parseOrder(text);
  return order.ok ? last['id'] === order.value.id : last['id'] === '' && textAt(last, 'message').endsWith(order.reason);
}
