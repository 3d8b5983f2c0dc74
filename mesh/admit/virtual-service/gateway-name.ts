import type { GatewayName } from '../../model/virtual-service.ts';
import { type Context, refer } from '../context.ts';
import { type Field, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

const PART = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Gateways by `namespace/name`, `./name`, a name in the object's namespace, or the host form of old articles; `mesh` is every sidecar. */
export function gatewayNames(field: Field, context: Context): readonly GatewayName[] {
  const { namespace } = context.meta;
  const named = (item: Field, name: string): string => {
    refer(context, item, { kind: 'gateway', name });
    return name;
  };
  return itemsOf(field).map((item) => {
    const written = requiredText(item);
    if (written === '' || written === 'mesh') return written;
    const slash = written.split('/');
    const [first = '', second = ''] = slash;
    if (slash.length === 2 && PART.test(second) && (first === '.' || PART.test(first)))
      return named(item, `${first === '.' ? namespace : first}/${second}`);
    if (slash.length === 1 && PART.test(written)) {
      const [name = '', owner] = written.split('.');
      return named(item, `${owner ?? namespace}/${name}`);
    }
    item.error(
      'bad-gateway',
      `"${shorten(written)}" names no gateway`,
      'write namespace/name, or a name in this namespace, or mesh',
    );
    return '';
  });
}
