/* A qemu plugin (API version 1) that counts the instructions a guest program executes: a figure of speed that the
   machine's noise does not touch. It counts user space only and knows no caches, so it says nothing about seconds.

   gcc -O2 -shared -fPIC -o icount.so icount.c
   ICOUNT_OUT=FILE qemu-aarch64 -plugin ./icount.so -d plugin PROGRAM        writes the number to FILE

   The few functions it calls are declared here, so no header of qemu is needed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint64_t plugin_id;
struct block;
typedef void (*translate_callback)(plugin_id, struct block *);
typedef void (*execute_callback)(unsigned int cpu, void *data);
typedef void (*exit_callback)(plugin_id, void *data);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translate_callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct block *, execute_callback, int flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct block *);
extern void qemu_plugin_register_atexit_cb(plugin_id, exit_callback, void *data);

#define EXPORTED __attribute__((visibility("default")))
#define CPUS 256
EXPORTED int qemu_plugin_version = 1;

/* Each emulated thread has a cache line of its own, so that threads never write to the same one. */
static uint64_t executed[CPUS][8];

static void add(unsigned int cpu, void *count) { executed[cpu % CPUS][0] += (uintptr_t)count; }

static void translated(plugin_id id, struct block *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(block, add, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void finished(plugin_id id, void *data) {
  (void)id, (void)data;
  uint64_t total = 0;
  for (int cpu = 0; cpu < CPUS; cpu++) total += executed[cpu][0];
  const char *name = getenv("ICOUNT_OUT");
  FILE *out = name ? fopen(name, "w") : stderr;
  if (!out) return;
  fprintf(out, "%llu\n", (unsigned long long)total);
  if (name) fclose(out);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, 0);
  return 0;
}
