use candle_core::{Device, Tensor};
use cspine_nets::{googlenet::GoogLeNet, layers::{FrozenConv,Mode}, Learner, optimiser::Sgd};
use std::time::Instant;
#[path="../tests/uniform/mod.rs"] mod uniform;
fn main(){
 let state=uniform::googlenet_state();
 let net=GoogLeNet::build(|s| FrozenConv::new(s,&state)).unwrap();
 for &(n,s) in &[(1usize,224usize),(8,224)] {
  let x=Tensor::randn(0f32,1.,(n,3,s,s),&Device::Cpu).unwrap();
  for threads in [1,2]{ let pool=rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
   let mut best=f64::MAX; for _ in 0..15 { let t=Instant::now(); pool.install(|| net.activations(&x,Mode::Infer).unwrap()); best=best.min(t.elapsed().as_secs_f64()); }
   println!("fwd n={n} threads={threads}: {:.2} ms/img",best*1e3/n as f64);
   if n==1 { let v=candle_core::Var::from_tensor(&x).unwrap(); let mut best=f64::MAX; for _ in 0..15 { let t=Instant::now(); pool.install(|| net.activations(v.as_tensor(),Mode::Differentiate).unwrap().map_5b.sum_all().unwrap().backward().unwrap()); best=best.min(t.elapsed().as_secs_f64()); }
   println!("saliency threads={threads}: {:.2} ms/img",best*1e3); }
  }}
 let l=Learner::new(&state).unwrap(); let mut sgd=Sgd::new(l.parameters(),0.95,0.).unwrap();
 for &(n,s) in &[(10usize,224usize),(32,112)] {
  let x=Tensor::randn(0f32,1.,(n,3,s,s),&Device::Cpu).unwrap(); let y=Tensor::zeros(n,candle_core::DType::U32,&Device::Cpu).unwrap();
  let mut best=f64::MAX; for _ in 0..4 { let t=Instant::now();
   let lg=l.logits(&x,Mode::Train{input:false}).unwrap(); let loss=candle_nn::loss::cross_entropy(&lg,&y).unwrap(); let tf=t.elapsed().as_secs_f64(); let g=l.backward(&loss).unwrap(); let tb=t.elapsed().as_secs_f64(); sgd.step(&g,1e-5).unwrap(); let tt=t.elapsed().as_secs_f64();
   println!("   f {:.0} b {:.0} o {:.0}",tf*1e3,(tb-tf)*1e3,(tt-tb)*1e3); best=best.min(tt);}
  println!("train n={n} s={s}: {:.2} ms/img {:.1} img/s",best*1e3/n as f64, n as f64/best);
 }
}
