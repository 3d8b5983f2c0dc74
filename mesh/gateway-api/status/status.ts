import type { GatewayApiKind } from '../../model/gateway-api-kinds.ts';
import type { Meta } from '../../model/object.ts';
import type { Condition } from './condition.ts';

// The `status` of the kinds (https://gateway-api.sigs.k8s.io/reference/spec/), as far as a controller writes it.

export interface ParentStatus {
  /** As the route has it. */
  readonly parentRef: Readonly<Record<string, string | number>>;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export interface AncestorStatus {
  readonly ancestorRef: Readonly<Record<string, string>>;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface ClassStatus {
  readonly conditions: readonly Condition[];
  readonly supportedFeatures: readonly { readonly name: string }[];
}

export interface GatewayStatus {
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
  readonly attachedListenerSets: number;
}

export interface ListenerSetStatus {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

export interface RouteStatus {
  readonly parents: readonly ParentStatus[];
}

export interface PolicyStatus {
  readonly ancestors: readonly AncestorStatus[];
}

export type Status = ClassStatus | GatewayStatus | ListenerSetStatus | RouteStatus | PolicyStatus;

/** What is to be known of an object: its status, and each thing that is wrong with the field that it is about. */
export interface ObjectStatus {
  readonly kind: GatewayApiKind;
  readonly meta: Meta;
  readonly status: Status;
  readonly problems: readonly Problem[];
}

export interface Problem {
  readonly condition: string;
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}
