import type { Meta } from './object.ts';
import type { Port } from './port.ts';

/** One address of an EndpointSlice. */
export interface SliceEndpoint {
  readonly address: string;
  readonly ready: boolean;
  /** The Pod behind it, of the slice's namespace. */
  readonly pod: string | undefined;
  readonly hostname: string | undefined;
  readonly node: string | undefined;
  readonly zone: string | undefined;
}

/** Some addresses of one Service: of an EndpointSlice, or a subset of the older kind Endpoints. */
export interface SliceAddresses {
  readonly endpoints: readonly SliceEndpoint[];
  /** By the names of the Service's ports. */
  readonly ports: Readonly<Record<string, Port>>;
}

/** What an EndpointSlice, or an Endpoints, says of a Service of its namespace. */
export interface EndpointSlice {
  readonly meta: Meta;
  /** Undefined where no Service is named: then nobody asks for it. */
  readonly service: string | undefined;
  readonly addresses: readonly SliceAddresses[];
}
