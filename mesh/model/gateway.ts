import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';

/** A host that a server accepts, and the namespace whose VirtualServices may bind to it (`*` any, `.` its own). */
export interface GatewayHost {
  readonly namespace: string;
  readonly host: Hostname;
}

export interface GatewayServer {
  readonly name: string | undefined;
  readonly port: Port;
  readonly portName: string;
  readonly protocol: 'HTTP' | 'HTTP2' | 'GRPC' | 'HTTPS' | 'TLS' | 'TCP' | 'MONGO' | 'MYSQL' | 'REDIS';
  readonly hosts: readonly GatewayHost[];
  readonly httpsRedirect: boolean;
}

export interface Gateway {
  readonly meta: Meta;
  /** Labels of the gateway pods; empty selects every gateway pod. */
  readonly selector: Labels;
  readonly servers: readonly GatewayServer[];
}
