#include "process.h"
long sys_kcheck(struct regs *regs) { (void)regs; return -ENOENT; }
long sys_kbench(struct regs *regs) { (void)regs; return -ENODEV; }
long sys_kinfo(struct regs *regs) { (void)regs; return -ENOENT; }
