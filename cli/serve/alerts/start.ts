import type { Logger } from 'pino';
import type { Alert, Rollback } from '../../../audit/alerts/alert.ts';
import { Courier, type CourierStats } from '../../../audit/alerts/courier.ts';
import { AlertEngine, type EngineStats, type Finding } from '../../../audit/alerts/engine.ts';
import { AlertStore } from '../../../audit/alerts/store.ts';
import type { Observer } from '../../../audit/intake/sink.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import { systemAfter } from '../../../ca/federation/following.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Claims } from './claims.ts';
import type { AlertSettings } from './settings.ts';
import { strictness } from './strict.ts';
import { post } from './webhook.ts';

export interface RunningAlerts extends Observer {
  rolledBack(rollback: Rollback): void;
  stats(): { readonly engine: EngineStats; readonly webhooks: ReadonlyMap<string, CourierStats> };
  close(): void;
}

export interface AlertsAround {
  /** Where what was told is kept. */
  readonly file: string;
  readonly snapshot: () => Snapshot;
  readonly clock: () => Date;
  readonly log: Logger;
  /** With whom it is agreed who tells what; absent: nobody else tells. */
  readonly claims?: Claims;
}

/** Records that are looked at only once it is known since when others have looked. */
const MOST_EARLY = 10_000;

/** Alerts of `--alerts`: to the log, and to webhooks, over restarts. @throws Error when what was told cannot be kept */
export function startAlerts(
  { rules, webhooks }: AlertSettings,
  { file, snapshot, clock, log, claims }: AlertsAround,
): RunningAlerts {
  const store = new AlertStore(file, clock());
  // A disk that is full must not end the calls that are looked at; what cannot be kept is told again after a restart.
  const kept = (what: () => void): void => {
    try {
      what();
    } catch (error) {
      log.error({ error }, 'what was alerted cannot be kept');
    }
  };
  const couriers = new Map(
    webhooks.map((webhook) => [
      webhook.name,
      new Courier({
        name: webhook.name,
        send: (message) => post(webhook, message, clock),
        done: ({ id }) => kept(() => store.done(webhook.name, id)),
        clock,
        after: systemAfter,
        random: Math.random,
        log,
      }),
    ]),
  );
  const send = (alert: Alert): void => {
    log.warn({ alert }, alert.summary);
    const message = { id: alert.id, body: JSON.stringify({ version: 1, ...alert }), at: Date.parse(alert.at) };
    for (const courier of couriers.values()) courier.take(message);
  };
  const state = { ...store.state };
  const engine = new AlertEngine({
    rules,
    state,
    clock,
    strict: strictness(snapshot),
    keep(told, alerts, findings) {
      const pending = alerts.flatMap((alert) =>
        [...couriers.keys()].map((webhook) => ({
          webhook,
          id: alert.id,
          body: JSON.stringify({ version: 1, ...alert }),
          at: Date.parse(alert.at),
        })),
      );
      kept(() => store.keep(told, pending));
      if (claims === undefined) for (const alert of alerts) send(alert);
      else void agreed(claims, findings);
    },
  });
  /** What waits is kept already: who is killed before it was agreed on tells it after the restart, though another may have. */
  const agreed = async (others: Claims, findings: readonly Finding[]): Promise<void> => {
    const mine = await others.mine(findings, clock().getTime());
    for (const { key, alert } of findings) {
      if (alert === undefined || closed) continue;
      if (mine.has(key)) send(alert);
      else for (const webhook of couriers.keys()) kept(() => store.done(webhook, alert.id));
    }
  };
  let closed = false;
  let early: AccessRecord[] | undefined = claims === undefined ? undefined : [];
  const begin = (since: number): void => {
    state.since = Math.min(state.since, since);
    const records = early ?? [];
    early = undefined;
    if (records.length > 0 && !closed) engine.observe(records);
  };
  void claims?.since(state.since).then(begin);
  for (const [name, courier] of couriers) for (const message of store.pendingFor(name)) courier.take(message);
  return {
    observe(records) {
      if (early === undefined || early.length + records.length > MOST_EARLY) engine.observe(records);
      else early.push(...records);
    },
    rolledBack: (rollback) => engine.rolledBack(rollback),
    stats: () => ({ engine: engine.stats, webhooks: new Map([...couriers].map(([name, { stats }]) => [name, stats])) }),
    close() {
      closed = true;
      // Kept as to be sent: there is no time left to agree on them.
      if (early !== undefined) engine.observe(early);
      void claims?.close();
      for (const courier of couriers.values()) courier.close();
      store.close();
    },
  };
}
