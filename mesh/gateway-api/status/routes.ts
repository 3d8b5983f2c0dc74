import type { ParentRef } from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { CONTROLLER } from '../classes.ts';
import type { ListenerState } from '../listeners.ts';
import type { Reason } from '../reason.ts';
import { attachment, type Route } from './attachment.ts';
import { type Condition, either, holds } from './condition.ts';
import type { Parents } from './parents.ts';
import { unresolvedBackends, unsupportedRules } from './route-references.ts';
import type { ObjectStatus, ParentStatus, Problem } from './status.ts';

function asWritten({ group, kind, namespace, name, sectionName, port, namespaced }: ParentRef): ParentStatus['parentRef'] {
  return {
    group,
    kind,
    ...(namespaced ? { namespace } : {}),
    name,
    ...(sectionName === undefined ? {} : { sectionName }),
    ...(port === undefined ? {} : { port }),
  };
}

/** What a parent says to a route; undefined when it is none of this control plane's. */
type Answer = { readonly controller: string; readonly problem: Reason | undefined; readonly to: readonly ListenerState[] };

function atService(parents: Parents, parent: ParentRef): Answer {
  const service = parents.world.service(parent.namespace, parent.name);
  const where = `Service ${parent.namespace}/${parent.name}`;
  const refused = (message: string): Answer => ({
    controller: CONTROLLER,
    problem: { reason: 'NoMatchingParent', message },
    to: [],
  });
  if (service === undefined) return refused(`there is no ${where}`);
  if (parent.port !== undefined && service.ports.every(({ port }) => port !== parent.port))
    return refused(`${where} has no port ${parent.port}`);
  return { controller: CONTROLLER, problem: undefined, to: [] };
}

function answer(parents: Parents, route: Route, parent: ParentRef): Answer | undefined {
  if (parent.kind === 'Service' && (parent.group === '' || parent.group === 'core')) return atService(parents, parent);
  if (parent.group !== GATEWAY_API_GROUP) return undefined;
  const found = parents.find(parent);
  if (found === undefined) return undefined;
  const { controller } = found;
  if ('problem' in found) return { controller, problem: found.problem, to: [] };
  const attached = attachment(parents.world, route, parent, found.states);
  return 'to' in attached ? { controller, problem: undefined, to: attached.to } : { controller, problem: attached, to: [] };
}

/** Routes by the listeners that they attach to. */
export type Attached = Map<ListenerState, Route[]>;

function attach(attached: Attached, state: ListenerState, route: Route): void {
  const there = attached.get(state);
  if (there === undefined) attached.set(state, [route]);
  else there.push(route);
}

/** @param attached is filled in */
export function routeStatus(parents: Parents, route: Route, attached: Attached): ObjectStatus {
  const unresolved = unresolvedBackends(parents.world, route);
  const unsupported = unsupportedRules(route);
  const none = unsupported.length > 0 && unsupported.length === route.rules.length;
  const problems: Problem[] = [];
  const statuses = route.parents.flatMap((parent, at): readonly ParentStatus[] => {
    const found = answer(parents, route, parent);
    const field = `spec.parentRefs[${at}]`;
    if (found === undefined) {
      const missing = parents.missing(parent);
      if (missing !== undefined) problems.push({ condition: 'Accepted', ...missing, field });
      return [];
    }
    const { controller, problem, to } = found;
    const [first] = unsupported;
    if (problem !== undefined) problems.push({ condition: 'Accepted', ...problem, field });
    const refused = problem ?? (none ? first : undefined);
    if (refused === undefined) for (const state of to) attach(attached, state, route);
    const conditions: Condition[] = [
      either('Accepted', refused, 'the route is in force'),
      either('ResolvedRefs', unresolved[0], 'all that it names is there'),
    ];
    if (first !== undefined && !none) conditions.push(holds('PartiallyInvalid', first.message, first.reason));
    return [{ parentRef: asWritten(parent), controllerName: controller, conditions }];
  });
  for (const one of unresolved) problems.push({ condition: 'ResolvedRefs', ...one });
  // Each filter that is not there was told when the route was read.
  return { kind: route.kind, meta: route.meta, status: { parents: statuses }, problems };
}
