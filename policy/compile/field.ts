import { isIPv4 } from 'node:net';
import type { Condition } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { type Stance, doubt, opposite } from './stance.ts';
import { type AddressBlock, type SourceLeaf, type Tree, all, always, any, leaf, not } from './test.ts';
import { parseBlock } from './value.ts';

/** `tcp`: nothing of HTTP can be seen. */
export type Layer = 'http' | 'tcp';

export interface RuleContext {
  readonly layer: Layer;
  readonly stance: Stance;
  readonly meshConfig: MeshConfig;
  /** The policy's. */
  readonly namespace: string;
}

/** Values of which one must match and values of which none may. */
export function condition<T, Leaf>(
  field: Condition<T>,
  stance: Stance,
  build: (values: readonly T[], stance: Stance) => Tree<Leaf>,
): Tree<Leaf> {
  return all([
    field.values.length === 0 ? always() : build(field.values, stance),
    field.notValues.length === 0 ? always() : not(build(field.notValues, opposite(stance))),
  ]);
}

/** One of these address blocks; one that cannot be read counts as the stance says. */
export function blocks(test: 'direct-address' | 'remote-address', values: readonly string[], stance: Stance): Tree<SourceLeaf> {
  return any(
    values.map((text) => {
      const block = parseBlock(text);
      if (block === undefined) return doubt(stance);
      const mapped = test === 'remote-address' ? mappedBlock(block) : undefined;
      return any([leaf({ test, block }), ...(mapped === undefined ? [] : [leaf({ test, block: mapped })])]);
    }),
  );
}

/**
 * The block as IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2). A proxy in front may tell an IPv4 caller's address in that form,
 * which Envoy takes for another one: a DENY would miss it. Addresses of connections are never in that form.
 */
function mappedBlock({ address, bits }: AddressBlock): AddressBlock | undefined {
  return isIPv4(address) ? { address: `::ffff:${address}`, bits: 96 + bits } : undefined;
}
