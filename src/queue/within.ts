/** The result, unless it takes longer than `ms`. What goes on behind is not stopped. @throws Error when the time is over */
export async function within<T>(ms: number, task: Promise<T>): Promise<T> {
  task.catch(() => undefined)
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`There was no answer in ${ms} ms.`)), ms)
  })
  try {
    return await Promise.race([task, over])
  } finally {
    clearTimeout(timer)
  }
}
