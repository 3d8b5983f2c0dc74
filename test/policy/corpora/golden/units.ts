import { listOf, type Record, recordOf } from './record.ts';

/**
 * A piece of a filter that decides by itself, in a form that Envoy can run for its answer alone (`shadow_rules`). Pieces with one label
 * must give one answer.
 */
export interface Unit {
  readonly label: string;
  /** `rules` or `matcher` of an RBAC filter, as JSON. */
  readonly form: 'rules' | 'matcher';
  readonly value: Record;
}

function actionOf(rbac: Record): string {
  const { action } = rbac;
  return typeof action === 'string' ? action : 'ALLOW';
}

/** Envoy's LOG lets all through; what matches is seen as a denial. */
function answering(rbac: Record): Record {
  return actionOf(rbac) === 'LOG' ? { ...rbac, action: 'DENY' } : rbac;
}

/** What a matcher does where nothing is listed tells its action: the one with rules that grant denies then. */
function matcherAction(matcher: Record): string {
  return JSON.stringify(matcher['onNoMatch'] ?? {}).includes('DENY') || matcher['onNoMatch'] === undefined ? 'ALLOW' : 'DENY';
}

/** The whole of one RBAC filter: what it enforces, and what it only notes. */
export function filterUnits(config: Record): readonly Unit[] {
  const found: Unit[] = [];
  for (const [name, label] of [
    ['rules', 'enforced'],
    ['shadowRules', 'dry run'],
  ] as const) {
    if (config[name] === undefined) continue;
    const rbac = recordOf(config[name]);
    found.push({ label: `${label} ${actionOf(rbac)}`, form: 'rules', value: answering(rbac) });
  }
  if (config['matcher'] !== undefined) {
    const matcher = recordOf(config['matcher']);
    found.push({ label: `enforced ${matcherAction(matcher)}`, form: 'matcher', value: matcher });
  }
  return found;
}

/** Each rule of one RBAC filter by its own name. */
export function ruleUnits(config: Record): readonly Unit[] {
  return ['rules', 'shadowRules'].flatMap((name) => {
    const rbac = recordOf(config[name]);
    return Object.entries(recordOf(rbac['policies'])).map(([rule, policy]): Unit => {
      return { label: ruleOf(rule), form: 'rules', value: answering({ ...rbac, policies: { [rule]: policy } }) };
    });
  });
}

const ANYBODY = { any: true };

/** The rule that a name is about, whatever stands around it. */
function ruleOf(name: string): string {
  return /ns\[.*?\]-policy\[.*?\]-rule\[\d+\]/.exec(name)?.[0] ?? name;
}

/** The conditions that Istio joins by "and", each alone. */
export function conditionUnits(config: Record): readonly Unit[] {
  return ['rules', 'shadowRules'].flatMap((name) =>
    Object.entries(recordOf(recordOf(config[name])['policies'])).flatMap(([rule, value]) => {
      const policy = recordOf(value);
      const principals = listOf(policy['principals']).flatMap((one) => listOf(recordOf(recordOf(one)['andIds'])['ids']));
      const permissions = listOf(policy['permissions']).flatMap((one) => listOf(recordOf(recordOf(one)['andRules'])['rules']));
      const alone = (made: Record): Unit => ({
        label: ruleOf(rule),
        form: 'rules',
        value: { action: 'DENY', policies: { [rule]: made } },
      });
      return [
        ...principals.map((one) => alone({ principals: [one], permissions: [ANYBODY] })),
        ...permissions.map((one) => alone({ principals: [ANYBODY], permissions: [one] })),
      ];
    }),
  );
}

/** Each value of the conditions that Istio makes, alone, whether it is asked for or excluded. */
export function valueUnits(config: Record): readonly Unit[] {
  return conditionUnits(config).flatMap((unit) => {
    const [policy] = Object.values(recordOf(unit.value['policies'])).map(recordOf);
    const alone = (made: Record): Unit => ({ ...unit, value: { action: 'DENY', policies: { [unit.label]: made } } });
    const principals = listOf(policy?.['principals']).flatMap((one) => alternatives(recordOf(one), 'notId', 'orIds', 'ids'));
    const permissions = listOf(policy?.['permissions']).flatMap((one) =>
      alternatives(recordOf(one), 'notRule', 'orRules', 'rules'),
    );
    return [
      ...principals.map((one) => alone({ principals: [one], permissions: [ANYBODY] })),
      ...permissions.map((one) => alone({ principals: [ANYBODY], permissions: [one] })),
    ];
  });
}

function alternatives(one: Record, not: string, or: string, list: string): readonly Record[] {
  const inner = one[not] === undefined ? one : recordOf(one[not]);
  return inner[or] === undefined ? [inner] : listOf(recordOf(inner[or])[list]).map(recordOf);
}
