import { shortSha } from '../../lib/git/checkout.ts';
import { columns } from '../../lib/text.ts';
import { type Receipt, type Stage, stages } from './receipt.ts';

const said: Record<Stage, string> = {
  seen: 'seen',
  synced: 'synced',
  ready: 'new pod ready',
  answering: 'answering',
  scraped: 'scraped',
};

/** What a person reads of a receipt. */
export function receiptLines(receipt: Receipt): string[] {
  const { application, commit, revision, subject, contained, changed } = receipt;
  const asked = `${shortSha(commit)} ${subject}`;
  const newer = `${contained ? 'contained in' : contained === false ? 'not contained in' : 'superseded by'} ${shortSha(revision)}`;
  if (!changed) {
    const at = revision === commit ? `at ${shortSha(commit)}` : `${shortSha(commit)} is ${newer}`;
    return [`${application}: unchanged, ${at}`];
  }
  return [`${application}: ${asked}${revision === commit ? '' : `, ${newer}`}`, ...columns(rows(receipt))];
}

function rows({ objects, files, pods, image, answer, seconds }: Receipt): (readonly [string, string])[] {
  const times = stages.flatMap((stage) => {
    const time = seconds[stage];
    return time === undefined ? [] : [`${said[stage]} ${time.toFixed(1)} s`];
  });
  const tag = image?.name.slice(image.name.lastIndexOf(':') + 1);
  const runs = image && (image.before === undefined ? image.name : `${image.before} -> ${tag}`);
  return [
    ...(files.length > 0 ? [['files', files.join(', ')] as const] : []),
    ['synced', objects.length > 0 ? objects.join(', ') : 'nothing'] as const,
    ...(image
      ? [['image', `${runs}${image.standIn ? ' (stand-in)' : ''}`] as const, ['image ID', image.id] as const]
      : []),
    ...(answer ? [['answers', `${answer.url}, 200 ${proof(answer)}`] as const] : []),
    ['pods', pods.length > 0 ? `${pods.join(', ')}: ready, and up in Prometheus` : 'none had to start anew'] as const,
    ['times', times.join(', ')] as const,
  ];
}

function proof({ version, by, draining = 0 }: NonNullable<Receipt['answer']>): string {
  const told = version === undefined ? 'without a version' : `with version ${version}`;
  const old =
    draining === 0 ? '' : ` (${draining} old ${draining === 1 ? 'pod drains' : 'pods drain'} for some seconds)`;
  return by === 'version' ? `${told}${old}` : `${told}, while only new pods were endpoints${old}`;
}
