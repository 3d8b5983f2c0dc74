import type { ConfigDiagnostic } from './diagnostic.ts';

/** What the agent tells on its standard output, one JSON object a line. `workload` is `NAMESPACE/POD`. */
export type AgentEvent =
  /** A configuration is in force. */
  | { readonly event: 'config'; readonly workloads: readonly string[] }
  /** The file changed, and cannot be used; what was in force stays. */
  | { readonly event: 'config-refused'; readonly diagnostics: readonly ConfigDiagnostic[] }
  /** The first certificate, and each that replaced one. `serial` in hexadecimal, `notAfter` in ISO 8601. */
  | { readonly event: 'issued'; readonly workload: string; readonly serial: string; readonly notAfter: string }
  | { readonly event: 'rotated'; readonly workload: string; readonly serial: string; readonly notAfter: string }
  /** An attempt to get a certificate, to prepare the workload's folder (`SETUP`) or to write its files (`FILES`) failed. */
  | {
      readonly event: 'failed';
      readonly workload: string;
      readonly code: string;
      readonly reason: string;
      /** Absent where it is not repeated: a reload command. */
      readonly retryMs?: number | undefined;
    }
  /** The certificate in hand is in the workload's files. */
  | { readonly event: 'written'; readonly workload: string; readonly dir: string }
  /** The certificate in hand has ended before another came. */
  | { readonly event: 'expired'; readonly workload: string; readonly serial: string; readonly notAfter: string }
  /** An Envoy process was started, or taken over from an agent before us (`adopted`). */
  | { readonly event: 'started'; readonly workload: string; readonly pid: number | undefined; readonly adopted: boolean }
  /** That Envoy is live: it has its configuration and its listeners are open. */
  | {
      readonly event: 'ready';
      readonly workload: string;
      readonly pid?: number | undefined;
      readonly adminSocket?: string | undefined;
      readonly sdsSocket: string;
      /** Where `workloadApi` is set. */
      readonly apiSocket?: string | undefined;
      /** `127.0.0.1:PORT` where adminPort is set. */
      readonly admin?: string | undefined;
    }
  /** An Envoy process ended. `restartMs` is absent when the agent stopped it. */
  | {
      readonly event: 'exit';
      readonly workload: string;
      readonly code: number | null;
      readonly signal: string | null;
      readonly reason: string;
      readonly restartMs?: number | undefined;
    }
  /** A workload is served no more: it left the configuration, or the agent is stopping. */
  | { readonly event: 'stopped'; readonly workload: string };

export type Emit = (event: AgentEvent) => void;
