import type { Logger } from 'pino';
import type { Budget } from '../access-log/budget.ts';
import type { Reachability } from '../authority/reachability.ts';
import type { Sign } from '../authority/signing.ts';
import type { Turns } from '../authority/turns.ts';
import type { Clock, Random, Timers } from '../clock.ts';
import type { Guard } from '../envoy/guard.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import type { SecretProvider } from '../names/kubernetes-secrets.ts';
import type { HostPort } from './config.ts';
import type { Emit } from './event.ts';
import type { OutsideTrust } from './outside-trust.ts';
import type { FileContent } from './watch-file.ts';

/** How a command ended; one that could not be started has neither code nor signal. */
export interface CommandEnd {
  readonly started: boolean;
  readonly code: number | null;
  readonly signal: string | null;
}

/** What all workloads of an agent share. */
export interface Surroundings {
  readonly bundle: () => TrustBundle | undefined;
  /** Takes roots that came with a certificate, beside those in force. */
  readonly onRoots: (pem: string) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  readonly emit: Emit;
  /** To be called when the command that the agent was given has ended by itself. */
  readonly onCommandEnd: (end: CommandEnd) => void;
  /** Ends the Envoys when the agent cannot. */
  readonly guard: Guard;
  /** One for each authority's address, so that one probe serves all workloads. */
  readonly reachability: (authority: HostPort) => Reachability;
  /** For calls to the authority. */
  readonly turns: Turns;
  readonly outside: OutsideTrust;
  /** For access logs that wait for the control plane: of one workload, and of all. */
  readonly logs: { readonly limitBytes: number; readonly budget: Budget };
  /** Kubernetes Secrets of a cluster, for gateways. */
  readonly clusterSecrets?: SecretProvider | undefined;
  /** Reads what `tokenFile` of a workload names; the file of that name by default. */
  readonly readToken?: ((tokenFile: string) => Promise<FileContent>) | undefined;
  /** The way to an authority; gRPC by default. */
  readonly sign?: Sign | undefined;
}
