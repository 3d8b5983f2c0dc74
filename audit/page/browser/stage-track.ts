import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import { h } from './dom.ts';
import { STAGE_NAMES, stageIndex, TRACK } from './stages.ts';

type Place = 'past' | 'here' | 'ahead' | 'beyond';

const WORDS: Readonly<Record<Place, string>> = Object.freeze({
  past: 'done',
  here: 'now',
  ahead: 'to come',
  beyond: 'beyond the target',
});

function placeOf(at: number, stage: Stage, target: Stage): Place {
  const here = stageIndex(stage);
  if (at < here) return 'past';
  if (at === here) return 'here';
  return at <= stageIndex(target) ? 'ahead' : 'beyond';
}

/** The four stages in a row; words say what the marks do. */
export function stageTrack(stage: Stage, target: Stage, size: 'small' | 'large'): HTMLElement {
  return h(
    'ol',
    { class: `stages ${size}`, 'aria-label': `Stages: at ${STAGE_NAMES[stage]}, target ${STAGE_NAMES[target]}` },
    TRACK.map(({ stage: one, does }, at) => {
      const place = placeOf(at, stage, target);
      return h(
        'li',
        { class: place, title: `${STAGE_NAMES[one]}: ${does}`, 'aria-current': place === 'here' ? 'step' : undefined },
        h('span', { class: 'dot', 'aria-hidden': 'true' }),
        h('span', { class: size === 'small' && place !== 'here' ? 'unseen' : 'word' }, STAGE_NAMES[one]),
        h('span', { class: 'unseen' }, ` (${WORDS[place]})`),
      );
    }),
  );
}
