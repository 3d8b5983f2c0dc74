import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { listsOf } from './fields.ts';
import { finding, some } from './finding.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { someOf, type Survey } from './survey.ts';

interface Known {
  readonly own: ReadonlySet<string>;
  /** By the Service's port, the workload's ports behind it. */
  readonly meant: ReadonlyMap<string, readonly { readonly port: Port; readonly workload: Workload }[]>;
}

/** Undefined when some port cannot be known: a workload that declares none may listen on any, and gateways have those of their Gateways. */
function portsOfAll(survey: Survey, targets: readonly Workload[]): Known | undefined {
  const own = new Set<string>();
  const meant = new Map<string, { port: Port; workload: Workload }[]>();
  for (const workload of targets) {
    const ports = survey.portsOf(workload);
    if (ports.length === 0 || survey.isGateway(workload)) return undefined;
    for (const { port, servicePorts } of ports) {
      own.add(String(port));
      for (const one of servicePorts) {
        const before = meant.get(String(one));
        if (before === undefined) meant.set(String(one), [{ port, workload }]);
        else before.push({ port, workload });
      }
    }
  }
  return { own, meant };
}

/** Ports that none of the workloads has, of which a Service may have made people think. */
export function unknownPorts(survey: Survey): readonly Diagnostic[] {
  const portsOf = remembered((targets: readonly Workload[]) => portsOfAll(survey, targets));
  return survey.policies.flatMap((policy) => {
    const lists = listsOf(policy).filter(({ attribute }) => attribute === 'ports');
    const targets = lists.length === 0 ? [] : survey.targets(policy);
    const known = targets.length === 0 ? undefined : portsOf(targets);
    if (known === undefined) return [];
    const { own, meant: byServicePort } = known;
    return lists.flatMap((list) =>
      list.values.flatMap((value, at) => {
        if (own.has(value)) return [];
        const meant = byServicePort.get(value) ?? [];
        const field = `${list.path}[${at}]`;
        const effect = list.negated ? 'it excludes nothing' : 'it never matches';
        const [first] = meant;
        if (first !== undefined) {
          const ports = [...new Set(meant.map(({ port }) => String(port)))];
          const workloads = meant.map(({ workload }) => workload);
          return [
            finding(
              policy.meta,
              field,
              'warning',
              'service-port',
              `${value} is the Service's port; policies see the workload's own, which is ${some(ports)} of ${someOf(workloads)}; ${effect}`,
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
            `neither a Service nor a container of ${someOf(targets)} names port ${value}`,
            `their ports are ${some([...own], 8)}`,
          ),
        ];
      }),
    );
  });
}
