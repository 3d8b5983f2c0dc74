import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { listsOf } from './fields.ts';
import { finding, some } from './finding.ts';
import { nameOf, type Survey } from './survey.ts';

/** Ports that none of the workloads has, of which a Service may have made people think. */
export function unknownPorts(survey: Survey): readonly Diagnostic[] {
  return survey.snapshot.authorizationPolicies.flatMap((policy) => {
    const lists = listsOf(policy).filter(({ attribute }) => attribute === 'ports');
    const targets = lists.length === 0 ? [] : survey.targets(policy);
    // A workload that declares no port may listen on any; gateways have those of their Gateways.
    if (targets.length === 0 || targets.some((one) => survey.portsOf(one).length === 0 || survey.isGateway(one))) return [];
    const own = new Set(targets.flatMap((one) => survey.portsOf(one).map(({ port }) => String(port))));
    return lists.flatMap((list) =>
      list.values.flatMap((value, at) => {
        if (own.has(value)) return [];
        const meant = targets.flatMap((one) =>
          survey
            .portsOf(one)
            .flatMap(({ port, servicePorts }) => (servicePorts.includes(Number(value)) ? [{ port, workload: nameOf(one) }] : [])),
        );
        const field = `${list.path}[${at}]`;
        const effect = list.negated ? 'it excludes nothing' : 'it never matches';
        const [first] = meant;
        if (first !== undefined) {
          const ports = [...new Set(meant.map(({ port }) => String(port)))];
          return [
            finding(
              policy.meta,
              field,
              'warning',
              'service-port',
              `${value} is the Service's port; policies see the workload's own, which is ${some(ports)} of ${some(meant.map(({ workload }) => workload))}; ${effect}`,
              `write ports: [${ports.map((port) => `"${port}"`).join(', ')}]`,
            ),
          ];
        }
        return [
          finding(
            policy.meta,
            field,
            'info',
            'unknown-port',
            `neither a Service nor a container of ${some(targets.map(nameOf))} names port ${value}`,
            `their ports are ${some([...own], 8)}`,
          ),
        ];
      }),
    );
  });
}
