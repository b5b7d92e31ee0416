/** A text as base64 of its UTF-8: what a Secret's data and a Basic authorization consist of. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
