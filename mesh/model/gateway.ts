import type { Authorities, KeyPair } from './destination-rule.ts';
import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';

/** A host that a server accepts, and the namespace whose VirtualServices may bind to it (`*` any, `.` its own). */
export interface GatewayHost {
  readonly namespace: string;
  readonly host: Hostname;
}

export type TlsVersion = 'TLSV1_0' | 'TLSV1_1' | 'TLSV1_2' | 'TLSV1_3';

/** TLS that the gateway ends. */
export interface TerminatedTls {
  readonly kind: 'terminate';
  /** Whether clients show a certificate: must not, may or must. `mesh`: a certificate of the mesh, against the gateway's own. */
  readonly clients: 'none' | 'optional' | 'required' | 'mesh';
  /** At least one, except for the mesh's own. */
  readonly keyPairs: readonly KeyPair[];
  /** Against which clients are checked; undefined where they show none, or are of the mesh. */
  readonly authorities: Authorities | undefined;
  readonly subjectAltNames: readonly string[];
  readonly verifyCertificateSpki: readonly string[];
  readonly verifyCertificateHash: readonly string[];
  readonly minVersion: TlsVersion | undefined;
  readonly maxVersion: TlsVersion | undefined;
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}

/** TLS that ends with these certificates and asks nothing of clients; of all else the proxy's own defaults hold. */
export function terminatedWith(keyPairs: readonly KeyPair[]): TerminatedTls {
  return {
    kind: 'terminate',
    clients: 'none',
    keyPairs,
    authorities: undefined,
    subjectAltNames: [],
    verifyCertificateSpki: [],
    verifyCertificateHash: [],
    minVersion: undefined,
    maxVersion: undefined,
    cipherSuites: [],
    ecdhCurves: [],
  };
}

export type ServerTls =
  | { readonly kind: 'none' }
  /** The destination ends it; the server name tells where to. */
  | { readonly kind: 'passthrough' }
  /** The mesh's own TLS, which its server name leads to the Service that the caller means. */
  | { readonly kind: 'auto-passthrough' }
  | TerminatedTls
  /** Asked for in a way that is not there: the server is not opened, since a lesser one would let in whom it was to keep out. */
  | { readonly kind: 'unavailable' };

export interface GatewayServer {
  readonly name: string | undefined;
  readonly port: Port;
  readonly portName: string;
  readonly protocol: 'HTTP' | 'HTTP2' | 'GRPC' | 'HTTPS' | 'TLS' | 'TCP' | 'MONGO' | 'MYSQL' | 'REDIS';
  readonly hosts: readonly GatewayHost[];
  readonly httpsRedirect: boolean;
  readonly tls: ServerTls;
  /** An address to listen on instead of the gateway's own. */
  readonly bind: string | undefined;
}

export interface Gateway {
  readonly meta: Meta;
  /** Labels of the gateway pods; empty selects every gateway pod. */
  readonly selector: Labels;
  /** The namespace of its pods; undefined: any. */
  readonly podNamespace?: string;
  readonly servers: readonly GatewayServer[];
}
