import type { ReplayedMesh } from '../../policy/replay/replay.ts';
import { destinationsIn } from './destinations.ts';
import { fail, type MeshFlags, meshOf } from './mesh.ts';

/** The mesh of `-f`, with what calls can go to. Undefined with errors in it: a policy that was left out would make every answer wrong. */
export function loadedMesh(command: string, flags: MeshFlags): ReplayedMesh | undefined {
  const snapshot = meshOf(command, flags);
  if (snapshot === undefined) return undefined;
  if (process.exitCode === 1)
    return fail(command, 1, 'the configuration has errors; nothing is told of a part of it (see gatehouse validate)');
  return { snapshot, destinations: destinationsIn(snapshot) };
}
