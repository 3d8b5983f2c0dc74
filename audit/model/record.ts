import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Mark } from './mark.ts';

/** What a proxy calls the log it writes: the `log_name` of its access-log configuration. */
export type Side = 'inbound' | 'outbound' | 'gateway';

/** An inbound log tells of the hop into its proxy, an outbound log of the hop out of it, a gateway's log of both. */
export type Hop = 'in' | 'out';

export const PROTOCOLS = Object.freeze(['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3', 'GRPC', 'TCP'] as const);
export type Protocol = (typeof PROTOCOLS)[number];

/** One end of a call. */
export interface Party {
  /** Proven by a certificate on this hop, or (the reporter's own) by the certificate of the log stream; never a claim in the log. */
  readonly principal: SpiffeId | undefined;
  /** `NAMESPACE/NAME` as configuration knows it: a convenience for readers, not evidence. */
  readonly workload: string | undefined;
  readonly address: string | undefined;
}

/** A policy rule as the RBAC filter names it; `rule` counts from 0, as Istio's names do. */
export interface PolicyRule {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  readonly rule: number | undefined;
}

export const CUSTOM_ANSWERS = Object.freeze(['denied', 'failed', 'stopped', 'nobody'] as const);
export type CustomAnswer = (typeof CUSTOM_ANSWERS)[number];

/** What was decided about a call and by what. */
export type Verdict =
  | { readonly kind: 'allowed-by-rule'; readonly by: PolicyRule }
  /** No ALLOW policy selects the workload. */
  | { readonly kind: 'allowed-no-policy' }
  /** ALLOW policies may apply, but the proxy named no rule, as is usual for TCP. `policies` are those known to apply, sorted. */
  | { readonly kind: 'allowed-unnamed'; readonly policies: readonly string[] }
  | { readonly kind: 'denied-by-rule'; readonly by: PolicyRule }
  /** ALLOW policies apply and none of their rules matched. `policies` are theirs, `NAMESPACE/NAME`, sorted. */
  | { readonly kind: 'denied-no-rule'; readonly policies: readonly string[] }
  /** The listener had no filter chain for it (plain text where mutual TLS is required), or the handshake failed. */
  | { readonly kind: 'denied-transport' }
  /** A bad or missing JSON Web Token. */
  | { readonly kind: 'denied-token' }
  /** An external authorizer (CUSTOM policy). */
  | {
      readonly kind: 'denied-custom';
      /** The rule by which the provider was asked; undefined when the proxy does not say. */
      readonly by?: PolicyRule;
      readonly provider?: string;
      /** `nobody`: there is no such provider. `failed`: it could not be asked. `stopped`: it, or its failure, stopped a connection. */
      readonly answer?: CustomAnswer;
    }
  /** Never got to the destination, or no further than its proxy's parser, so nothing was decided there; `cause` is Envoy's response code detail. */
  | { readonly kind: 'unreached'; readonly cause: string };

/** One call over one hop, as one proxy reported it. */
export interface AccessRecord {
  /** Start, in ms since the epoch. */
  readonly time: number;
  readonly side: Side;
  readonly hop: Hop;
  readonly source: Party;
  readonly destination: Party;
  /** The destination has a proxy of ours, which reports this call itself if it gets there. */
  readonly destinationMeshed: boolean;
  readonly reached: boolean;
  /** Of the hop into a gateway: the same call has a record of the hop out of it as well. */
  readonly onward?: true;
  /** Host name of the service called. */
  readonly service: string | undefined;
  /** The workload's own port where the destination was reached, else the service's. */
  readonly port: number | undefined;
  readonly protocol: Protocol;
  /** Empty for TCP. */
  readonly method: string;
  /** Without the query. Empty for TCP. */
  readonly path: string;
  readonly template: string;
  /** HTTP status; 0 when there was none. */
  readonly status: number;
  /** Of gRPC, where the server, or a proxy in its place, answered with one. */
  readonly grpcStatus?: number;
  /** Of a connection that ended: its beginning was told by a record of its own, which is no call (metrics count it). */
  readonly announced?: true;
  readonly durationUs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** The caller proved an identity with a certificate on this hop. */
  readonly mtls: boolean;
  /** Serial number of that certificate, lower-case hexadecimal; absent where the proxy does not name it. */
  readonly certificate?: string;
  readonly verdict: Verdict;
  /** What else policies noted about it. */
  readonly marks?: readonly Mark[];
  /** Envoy's short names: UH, UF, NR, FI... */
  readonly flags: readonly string[];
}

export function isDenied(verdict: Verdict): boolean {
  switch (verdict.kind) {
    case 'allowed-by-rule':
    case 'allowed-no-policy':
    case 'allowed-unnamed':
    case 'unreached':
      return false;
    case 'denied-by-rule':
    case 'denied-no-rule':
    case 'denied-transport':
    case 'denied-token':
    case 'denied-custom':
      return true;
    default:
      return verdict satisfies never;
  }
}

export const VERDICT_KINDS = Object.freeze([
  'allowed-by-rule',
  'allowed-no-policy',
  'allowed-unnamed',
  'denied-by-rule',
  'denied-no-rule',
  'denied-transport',
  'denied-token',
  'denied-custom',
  'unreached',
] as const satisfies readonly Verdict['kind'][]);
