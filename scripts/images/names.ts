/** containerd's way of writing a name: Docker Hub's host and its `library/` are spelled out. */
export function fullName(image: string): string {
  const [first = ''] = image.split('/');
  if (!image.includes('/')) return `docker.io/library/${image}`;
  return /[.:]|^localhost$/.test(first) ? image : `docker.io/${image}`;
}
