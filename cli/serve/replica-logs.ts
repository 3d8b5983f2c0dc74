import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Authority } from '../../ca/authority.ts';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { ListenAddress } from '../options/address.ts';
import { LogGatherer } from '../../ca/log/gather/gather.ts';
import { addIssuanceLogService } from '../../ca/log/gather/service.ts';
import { originOf, REPLICA_PATH } from '../../ca/log/gather/source.ts';

/** The issuance logs of all replicas, kept by each of them. */
export interface ReplicaLogs {
  /** Follows the logs of those that are at these addresses. */
  gather(peers: () => readonly string[]): void;
  position(): { readonly origin: string; readonly bytes: number };
  /** The own log's newest checkpoint; undefined while there is none. */
  checkpoint(): { readonly verifierKey: string; readonly note: string } | undefined;
  /** Whether another replica has the own log up to there; true where there is none that should. */
  isCovered(bytes: number): boolean;
  /** How much of a log is here. */
  bytesOf(origin: string): number;
  /** Somebody may have come or gone. */
  look(): void;
  /** Resolves once all that the others have is here as well, and one of them follows, or after a while: until then losing them would lose it. */
  caughtUp(): Promise<void>;
  close(): Promise<void>;
}

const CATCH_UP_MS = 30_000;

/** Where other replicas reach this one: at its Pod's address, or where it listens. */
export function replicaAddress(listening: ListenAddress | undefined): string | undefined {
  if (listening === undefined) return undefined;
  const host = process.env['POD_IP'] ?? listening.host;
  return `${host.includes(':') ? `[${host}]` : host}:${listening.port}`;
}

/** Adds the service with which replicas follow each other's logs. */
export function replicaLogs(server: Server, authority: Authority, caDir: string, clock: () => Date, log: Logger): ReplicaLogs {
  const { followed, shipping } = authority.issuanceLog;
  let gatherer: LogGatherer | undefined;
  let others: () => readonly string[] = () => [];
  addIssuanceLogService(server, {
    authenticate: authority.peerOf,
    trustDomain: authority.trustDomain,
    logs: () => [followed, ...(gatherer?.copies() ?? [])],
    shipping,
    log,
  });
  const credentials = async () => {
    const id = parseSpiffeId(`spiffe://${authority.trustDomain}${REPLICA_PATH}`);
    if (!id.ok) throw new RangeError(id.reason);
    const { chainPem, keyPem, renewAt } = await authority.ownSvid(id.value);
    return { rootsPem: authority.rotation.rootsPem(), chainPem, keyPem, renewAt };
  };
  return {
    gather(peers) {
      shipping.expectedBy(() => peers().length > 0);
      others = peers;
      gatherer = new LogGatherer({
        dir: caDir,
        ownVerifierKey: followed.verifierKey,
        peers,
        serverName: 'gatehouse',
        clock,
        credentials,
        log,
      });
    },
    position: () => ({ origin: originOf(followed.verifierKey), bytes: followed.bytes() }),
    checkpoint() {
      const note = authority.issuanceLog.checkpoint();
      return note === '' ? undefined : { verifierKey: followed.verifierKey, note };
    },
    isCovered: (bytes) => shipping.isCovered(bytes),
    bytesOf: (origin) => gatherer?.bytesOf(origin) ?? 0,
    look: () => gatherer?.look(),
    async caughtUp() {
      const until = performance.now() + CATCH_UP_MS;
      const waits = (): boolean => gatherer?.isCaughtUp() === false || (shipping.followers === 0 && others().length > 0);
      while (waits() && performance.now() < until) {
        gatherer?.look();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    close: async () => gatherer?.close(),
  };
}
