/** What people read. */

/** Words between commas or line breaks, each once. */
export function listOf(text: string): string[] {
  return [
    ...new Set(
      text
        .split(/[,\n]/)
        .map((word) => word.trim())
        .filter(Boolean),
    ),
  ]
}

export function bytesInWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB']
  const step = Math.min(units.length, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[step - 1]}`
}

/** `0:07`, `12:30`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** What an item is called: its metadata's name or title, else its id. */
export function nameOf({ id, metadata = {} }: { id: string; metadata?: Record<string, unknown> | undefined }): string {
  for (const key of ['name', 'title'])
    if (typeof metadata[key] === 'string' && metadata[key] !== '') return metadata[key]
  return id
}
