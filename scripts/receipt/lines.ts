import { type Receipt, type Stage, stages } from './receipt.ts';

const said: Record<Stage, string> = {
  seen: 'seen',
  synced: 'synced',
  ready: 'new pod ready',
  answering: 'answering',
  scraped: 'scraped',
};

/** What a person reads of a receipt. */
export function receiptLines({ application, revision, subject, changed, image, seconds }: Receipt): string[] {
  const at = revision.slice(0, 7);
  if (!changed) return [`${application}: unchanged, at ${at}`];
  const times = stages.flatMap((stage) => {
    const time = seconds[stage];
    return time === undefined ? [] : [`${said[stage]} ${time.toFixed(1)} s`];
  });
  return [
    `${application}: ${at} ${subject}`,
    ...(image ? [`  image   ${image.name}${image.standIn ? ' (stand-in)' : ''}`] : []),
    ...(times.length > 0 ? [`  times   ${times.join(', ')}`] : []),
  ];
}
