import type { Logger } from 'pino';
import { type CallStore, openCallStore } from '../../audit/store/calls.ts';
import { keptUp, openStore } from '../../audit/store/open.ts';
import { openToldStore, type ToldStore } from '../../audit/store/told.ts';
import type { Store } from '../../audit/store/store.ts';
import type { AuditOptions } from './audit-options.ts';

/** How often replicas tell each other which calls they saw. */
const REFRESH_MS = 30_000;

/** How the control plane opens its audit store, anew whenever it is broken. */
export interface AuditStoreOpeners {
  readonly edges: () => Promise<Store>;
  readonly calls: () => Promise<CallStore>;
  /** What replicas alerted; undefined where there is no other. */
  readonly told: (() => Promise<ToldStore>) | undefined;
  /** Undefined where nobody else writes. */
  readonly refreshMs: number | undefined;
}

export function auditStore({ auditStore, auditKeeping }: AuditOptions, clock: () => Date, log: Logger): AuditStoreOpeners {
  return {
    edges: async () =>
      keptUp(await openStore(auditStore, clock, auditKeeping), (error) =>
        log.warn({ error }, 'the audit store could not be rolled up; it is tried again'),
      ),
    calls: () => openCallStore(auditStore, clock),
    told: auditStore.engine === 'postgres' ? () => openToldStore(auditStore, clock) : undefined,
    refreshMs: auditStore.engine === 'postgres' ? REFRESH_MS : undefined,
  };
}
