import type { Hostname } from './hostname.ts';
import type { Meta } from './object.ts';
import type { Port } from './port.ts';

/** A Service of the Ingress's namespace. */
export interface IngressBackend {
  readonly service: string;
  /** The Service's. */
  readonly host: Hostname;
  /** A number, or the name of one of the Service's ports. */
  readonly port: Port | string;
}

export interface IngressPath {
  /** Empty matches every path. */
  readonly path: string;
  readonly type: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  readonly backend: IngressBackend;
}

export interface IngressRule {
  /** Undefined: every host. */
  readonly host: Hostname | undefined;
  readonly paths: readonly IngressPath[];
}

export interface IngressTls {
  /** Empty: every host. */
  readonly hosts: readonly Hostname[];
  readonly secret: string;
}

/** An Ingress of networking.k8s.io. */
export interface Ingress {
  readonly meta: Meta;
  /** By the annotation, which goes before the field. */
  readonly annotatedClass: string | undefined;
  /** An IngressClass's name. */
  readonly className: string | undefined;
  readonly rules: readonly IngressRule[];
  readonly tls: readonly IngressTls[];
  readonly defaultBackend: IngressBackend | undefined;
}

/** Whose Ingresses they are that name it. */
export interface IngressClass {
  readonly meta: Meta;
  readonly controller: string;
  /** Ingresses that name no class are of this one. */
  readonly isDefault: boolean;
}
