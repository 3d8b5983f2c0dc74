import { keyOf, type Meta } from '../../mesh/model/object.ts';
import type { Named } from './answer.ts';

export function named(kind: Named['kind'], meta: Meta): Named {
  return { kind, name: keyOf(meta), origin: meta.origin };
}

export function namedService(meta: Meta): Named {
  return named(meta.kind === 'ServiceEntry' ? 'ServiceEntry' : 'Service', meta);
}
